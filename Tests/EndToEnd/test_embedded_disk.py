"""The embedded log on a full disk and on one that is read-only: clear errors, readers go on, nothing acknowledged is lost."""

import json
import subprocess

import pytest

from harness.log_files import environment
from harness.small_disk import SmallDisk, TachoOnDisk
from harness.tacho import binary


@pytest.fixture
def disk(world):
    made = world.keep(SmallDisk(world.scratch / "disk", 48))
    if made.problem is not None:
        pytest.skip(f"no file system can be mounted here: {made.problem}")
    return made


def started(world, disk):
    return world.adopt(TachoOnDisk(world.scratch / "tacho", disk))


def command(disk, *words, code=0):
    done = subprocess.run(disk.inside([binary(), *words]), capture_output=True, text=True, timeout=120, env=environment())
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def append_until_refused(raw, size=20_000):
    """Ids of what was acknowledged, and the refusal."""
    ids = []
    for number in range(100_000):
        reply = raw.call("XADD", "orders", "*", "n", number, "data", "x" * size)
        if reply.startswith(b"-"):
            return ids, reply.decode()
        ids.append(reply.split(b"\r\n")[1])
    raise AssertionError("the disk is never full")


def ids_of(raw):
    return [entry[0] for entry in raw.ask("XRANGE", "orders", "-", "+")]


def test_on_a_full_disk_reading_goes_on_and_writing_does_when_there_is_room(world, disk):
    tacho = started(world, disk)
    with tacho.raw() as raw:
        raw.call("XGROUP", "CREATE", "orders", "billing", "0", "MKSTREAM")
        disk.fill(leaving=3 << 20)
        acknowledged, refusal = append_until_refused(raw)
        assert "disk is full" in refusal.lower(), refusal
        assert acknowledged
        # Again and again: each is told, and what is there can be read.
        for _ in range(5):
            assert raw.call("XADD", "orders", "*", "data", "x" * 20_000).startswith(b"-")
        assert ids_of(raw) == acknowledged
        assert raw.ask("XLEN", "orders") == len(acknowledged)
        # A delivery is written down, too.
        delivered = raw.call("XREADGROUP", "GROUP", "billing", "c", "COUNT", "1", "STREAMS", "orders", ">")
        assert acknowledged[0] in delivered or b"disk is full" in delivered.lower(), delivered
        disk.make_room()
        later, more = [], 20
        for number in range(more):
            reply = raw.call("XADD", "orders", "*", "later", number)
            assert reply.startswith(b"$"), reply
            later.append(reply.split(b"\r\n")[1])
        assert ids_of(raw) == acknowledged + later
    report = json.loads(command(disk, "verify", disk.path / "data", "-o", "json")[0])
    assert report == {"stream": "orders", "events": len(acknowledged) + more, "removed": 0, "whole": True}


@pytest.mark.expect_exit("it is killed")
def test_killed_on_a_full_disk_everything_acknowledged_is_there_afterwards(world, disk):
    tacho = started(world, disk)
    with tacho.raw() as raw:
        disk.fill(leaving=3 << 20)
        acknowledged, _ = append_until_refused(raw)
    tacho.kill()
    disk.make_room()
    again = started(world, disk)
    with again.raw() as raw:
        assert ids_of(raw) == acknowledged
        assert raw.call("XADD", "orders", "*", "n", "1").startswith(b"$")
    assert json.loads(command(disk, "verify", disk.path / "data", "-o", "json")[0])["whole"]


def test_a_read_only_directory_is_told_at_the_door_and_a_copy_there_can_be_read(world, disk):
    tacho = started(world, disk)
    with tacho.raw() as raw:
        raw.call("XADD", "orders", "*", "n", "1")
    assert tacho.stop() == 0
    disk.make_read_only()
    words = ["run", "--redis", "0=embedded", "--http", "none", "--otlp", "none", "--data", disk.path / "data"]
    _, complaint = command(disk, *words, code=1)
    assert "cannot be used" in complaint and str(disk.path / "data") in complaint
    assert json.loads(command(disk, "verify", disk.path / "data", "-o", "json")[0])["whole"]
    restored = world.scratch / "restored"
    command(disk, "restore", disk.path / "data", "--data", restored)
    assert json.loads(command(disk, "verify", restored, "-o", "json")[0])["events"] == 1
