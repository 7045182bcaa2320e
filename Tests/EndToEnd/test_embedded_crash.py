"""Nothing acknowledged is lost: the program is killed at random instants while writers note what was acknowledged.

TACHO_E2E_CRASHES says how often; 20 by default, 200 for the long form (`scripts/test long`).
"""

import os
import random
import signal
import threading
import time

import pytest

from harness import RawClient, Tacho
from harness.log_files import CopyingProcess, Closing, run, verify
from harness.net import free_port, wait_for
from harness.process import freeze

CRASHES = int(os.environ.get("TACHO_E2E_CRASHES", "20"))
STREAM, GROUP = "orders", "workers"
WRITERS = 6
CRASHES_PER_STREAM = 20

# What a writer or consumer finds wrong is found in its thread.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


class Writer(threading.Thread):
    """Appends numbered entries one after the other, some of them in transactions, until the connection breaks.

    `acknowledged`: id by number. `uncertain`: what was sent and never answered, which may or may not be there. A writer
    that `retries` marks each entry as its own (IDMP), and first sends again what was uncertain to the writer before it.
    """

    def __init__(self, address, name, first, retries=False, again=(), stream=STREAM):
        super().__init__(daemon=True)
        self.address, self.number, self.stream = address, first, stream
        self.label, self.retries = name, retries
        self.acknowledged, self.uncertain, self.times = {}, list(again), {}

    def send_marked(self, raw):
        while True:
            for number in self.uncertain:
                entry = raw.ask("XADD", self.stream, "IDMP", self.label, number, "*", "who", self.label, "n", number)
                self.acknowledged[number] = entry
                self.times[number] = time.monotonic()
            self.uncertain = [self.number]
            self.number += 1

    def run(self):
        try:
            with RawClient(self.address) as raw:
                if self.retries:
                    self.send_marked(raw)
                while True:
                    batch = 1 if self.number % 5 else 3
                    numbers = list(range(self.number, self.number + batch))
                    self.number += batch
                    self.uncertain = numbers
                    if batch == 1:
                        ids = [raw.ask("XADD", self.stream, "*", "who", self.label, "n", numbers[0])]
                    else:
                        raw.call("MULTI")
                        for number in numbers:
                            raw.call("XADD", self.stream, "*", "who", self.label, "n", number)
                        ids = raw.ask("EXEC")
                    self.acknowledged.update(zip(numbers, ids))
                    self.times.update({number: time.monotonic() for number in numbers})
                    self.uncertain = []
        except (EOFError, OSError):
            pass


class Consumer(threading.Thread):
    """Reads with the group and acknowledges, and notes which acknowledgements were confirmed."""

    def __init__(self, address, name, stream=STREAM):
        super().__init__(daemon=True)
        self.address, self.label, self.stream = address, name, stream
        self.delivered, self.acknowledged, self.uncertain = [], set(), set()

    def run(self):
        try:
            with RawClient(self.address) as raw:
                while True:
                    got = raw.ask("XREADGROUP", "GROUP", GROUP, self.label, "COUNT", "7", "BLOCK", "50",
                                  "STREAMS", self.stream, ">")
                    if not got:
                        continue
                    ids = [entry[0] for entry in got[0][1]]
                    self.delivered += ids
                    self.uncertain = set(ids[::2])
                    assert raw.ask("XACK", self.stream, GROUP, *ids[::2]) == len(ids[::2])
                    self.acknowledged |= self.uncertain
                    self.uncertain = set()
        except (EOFError, OSError):
            pass


def test_nothing_acknowledged_is_lost_however_often_it_is_killed(world):
    """Every twenty crashes go on with a stream of their own, so that looking through all of it stays affordable."""
    dice = random.Random(int(os.environ.get("TACHO_E2E_SEED", "1")))
    scratch = world.scratch / "crashing"
    address, streams = None, {}
    for begun in range(0, CRASHES, CRASHES_PER_STREAM):
        stream = f"{STREAM}-{begun}"
        address, streams[stream] = crash_often(
            scratch, address, stream, min(CRASHES_PER_STREAM, CRASHES - begun), dice)
        # As the last crash has left it: this stream, and all those before it.
        assert verify(scratch / "tacho-data") == {
            name: {"stream": name, "events": len(stored), "removed": 0, "whole": True}
            for name, stored in streams.items()}
    tacho = Tacho(scratch, "embedded", listen=address).start()
    world.keep(Closing(tacho.kill))
    with tacho.raw() as raw:
        for name, stored in streams.items():
            entries = [(tuple(entry[1][:4]), entry[0]) for entry in raw.ask("XRANGE", name, "-", "+")]
            assert dict(entries) == stored and len(entries) == len(stored), f"{name} is not what it was"


def crash_often(scratch, address, stream, crashes, dice):
    """Kills the program so often while others write to `stream`. Returns where it listened, and what is stored."""
    first = {f"w{number}": 0 for number in range(WRITERS)}
    stored, delivered, done, maybe_done, again = {}, [], set(), set(), {}
    retried = 0
    for crash in range(crashes):
        tacho = Tacho(scratch, "embedded", listen=address).start()
        address = tacho.address
        if crash == 0:
            with tacho.raw() as raw:
                raw.call("XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM")
        # Every second one retries.
        workers = [Writer(address, name, number, place % 2 == 1, again.get(name, ()), stream)
                   for place, (name, number) in enumerate(first.items())]
        workers.append(Consumer(address, f"c{crash % 3}", stream))
        for worker in workers:
            worker.start()
        time.sleep(dice.uniform(0.02, 0.4))
        tacho.kill()
        for worker in workers:
            worker.join(60)
        tacho = Tacho(scratch, "embedded", listen=address).start()
        with tacho.raw() as raw:
            entries = [(entry[0], tuple(entry[1][:4])) for entry in raw.ask("XRANGE", stream, "-", "+")]
            pending = {row[0] for row in raw.ask("XPENDING", stream, GROUP, "-", "+", "10000000")}
            group = dict(zip(*[iter(raw.ask("XINFO", "GROUPS", stream)[0])] * 2))
        tacho.kill()
        ids = [entry_id for entry_id, _ in entries]
        assert len(ids) == len(set(ids)) and ids == sorted(ids, key=key), "ids repeat or are out of order"
        found = {fields: entry_id for entry_id, fields in entries}
        assert len(found) == len(entries), "an entry is there twice"
        for worker in workers[:-1]:
            for number, entry_id in worker.acknowledged.items():
                stored[fields_of(worker, number)] = entry_id
            there = [number for number in worker.uncertain if fields_of(worker, number) in found]
            assert len(there) in (0, len(worker.uncertain)), f"half of a transaction is there: {worker.uncertain}"
            for number in there:
                stored[fields_of(worker, number)] = found[fields_of(worker, number)]
            first[worker.label] = worker.number
            again[worker.label] = worker.uncertain if worker.retries else ()
            retried += len(worker.acknowledged) if worker.retries else 0
        for fields, entry_id in stored.items():
            assert found.get(fields) == entry_id, \
                f"crash {crash}: {fields} was acknowledged as {entry_id} and is not there"
        assert len(found) == len(stored), "there is an entry that nobody has written"
        check_groups(workers[-1], pending, group, ids, delivered, done, maybe_done)
        if crash % 5 == 4:
            # As the crash has left it.
            assert verify(scratch / "tacho-data")[stream] == {
                "stream": stream, "events": len(entries), "removed": 0, "whole": True}
    assert retried > 0
    return address, stored


def test_a_copy_of_a_killed_log_lacks_no_more_than_it_may(world):
    """Both are killed under load: what was acknowledged a second before the end is in the copy, and there is no gap."""
    lag = 1.0
    scratch = world.scratch / "primary"
    tacho = Tacho(scratch, "embedded").start()
    world.keep(Closing(tacho.kill))
    with tacho.raw() as raw:
        raw.call("XADD", STREAM, "*", "who", "nobody", "n", "0")
    copying = CopyingProcess(scratch / "tacho-data", world.scratch / "copy", lag)
    world.keep(Closing(copying.kill))
    copying.wait_for("whole")
    writers = [Writer(tacho.address, f"w{number}", 0, number % 2 == 1) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(2.5)
    wait_for(lambda: sum(len(writer.acknowledged) for writer in writers) > 200, what="entries")
    killed = time.monotonic()
    tacho.kill()
    copying.kill()
    for writer in writers:
        writer.join(60)
    restored = world.scratch / "restored"
    run("restore", world.scratch / "copy", "--data", restored)
    assert verify(restored)[STREAM]["whole"]
    again = world.tacho("embedded", environment={"TACHO_DATA": str(restored)})
    with again.raw() as raw:
        found = {tuple(entry[1][:4]): entry[0] for entry in raw.ask("XRANGE", STREAM, "-", "+")}
    newest = key(max(found.values(), key=key))
    missing = 0
    for writer in writers:
        for number, entry_id in writer.acknowledged.items():
            there = found.get(fields_of(writer, number))
            assert there in (None, entry_id)
            if there is None:
                missing += 1
                assert key(entry_id) > newest, "the copy has a gap"
                ago = killed - writer.times[number]
                assert ago < lag, f"{number} of {writer.label} was acknowledged {ago:.2f} s before the end"
    assert 100 < len(found) and missing < len(found)


def test_stopped_and_continued_it_goes_on_where_it_was(world):
    scratch = world.scratch / "stopping"
    tacho = Tacho(scratch, "embedded").start()
    world.keep(Closing(tacho.kill))
    with tacho.raw() as raw:
        raw.call("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
    workers = [Writer(tacho.address, f"w{number}", 0, number % 2 == 1) for number in range(WRITERS)]
    workers.append(Consumer(tacho.address, "c"))
    for worker in workers:
        worker.start()
    for _ in range(3):
        time.sleep(0.2)
        freeze(tacho.process)
        before = [len(worker.acknowledged) for worker in workers]
        # The directory is still held, though nobody answers.
        complaint = refused_start(scratch / "tacho-data")
        assert f"open in another process ({tacho.process.pid})" in complaint
        tacho.process.send_signal(signal.SIGCONT)
        wait_for(lambda: all(len(worker.acknowledged) > count for worker, count in zip(workers, before)))
    tacho.kill()
    for worker in workers:
        worker.join(60)
    tacho = Tacho(scratch, "embedded", listen=tacho.address).start()
    world.keep(Closing(tacho.kill))
    with tacho.raw() as raw:
        entries = raw.ask("XRANGE", STREAM, "-", "+")
    found = {tuple(entry[1][:4]): entry[0] for entry in entries}
    assert len(found) == len(entries), "an entry is there twice"
    for writer in workers[:-1]:
        for number, entry_id in writer.acknowledged.items():
            assert found[fields_of(writer, number)] == entry_id
    assert verify(scratch / "tacho-data")[STREAM]["whole"]


def refused_start(data):
    """What `tacho run` says that cannot use a data directory."""
    return run("run", "--redis", f"{free_port()}=embedded", "--http", "none", "--otlp", "none", "--data", data, code=1)[1]


def check_groups(consumer, pending, group, ids, delivered, done, maybe_done):
    """Deliveries that were seen are pending or acknowledged; what was confirmed as acknowledged is not pending."""
    assert not set(consumer.delivered) & set(delivered), "an entry was delivered twice as new"
    delivered += consumer.delivered
    done |= consumer.acknowledged
    maybe_done |= consumer.uncertain
    assert not pending & done, "an acknowledged delivery is pending again"
    for entry_id in delivered:
        assert entry_id in pending or entry_id in done or entry_id in maybe_done, f"{entry_id} is forgotten"
    last = key(group[b"last-delivered-id"])
    assert all(key(entry_id) <= last for entry_id in delivered), "the group has gone back"
    assert pending <= set(ids)


def fields_of(worker, number):
    return (b"who", worker.label.encode(), b"n", str(number).encode())


def key(entry_id):
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds), int(sequence)
