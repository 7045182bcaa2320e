"""Keeping, copying and checking the log: `tacho backup`, `restore`, `verify` and `completions`."""

import os
import random
import shutil
import subprocess
import time

import pytest

from harness.log_files import Closing, CopyingProcess, lines, run, verify
from harness.net import wait_for
from harness.tacho import binary


def filled(world, events=200, size=100):
    """A running log with some events in `orders` and one in `other`."""
    tacho = world.tacho("embedded")
    with tacho.raw() as raw:
        for number in range(events):
            raw.ask("XADD", "orders", "*", "n", number, "data", "x" * size)
        raw.ask("XADD", "other", "*", "n", 1)
        raw.ask("XGROUP", "CREATE", "orders", "billing", "0")
        raw.ask("XREADGROUP", "GROUP", "billing", "c", "COUNT", "10", "STREAMS", "orders", ">")
    return tacho, tacho.scratch / "tacho-data"


def test_a_live_log_is_copied_checked_and_restored(world):
    tacho, data = filled(world)
    copy = world.scratch / "copy"
    assert verify(data)["orders"] == {"stream": "orders", "events": 200, "removed": 0, "whole": True}
    [made] = lines("backup", copy, "--data", data)
    assert made["done"] == "copied" and made["bytes"] > 0
    with tacho.raw() as raw:
        raw.ask("XADD", "orders", "*", "n", "later")
    assert verify(data)["orders"]["events"] == 201
    assert verify(copy)["orders"]["events"] == 200
    text, _ = run("verify", copy)
    assert "orders  200 events  whole" in text
    # The directory of a copy, of a running log and one with anything in it are left alone.
    for target in (copy, data / "events", data):
        _, complaint = run("backup", target, "--data", data, code=1)
        assert "not empty" in complaint
    restored = world.scratch / "restored"
    told = lines("restore", copy, "--data", restored)
    assert told[-1]["done"] == "restored" and told[0]["whole"]
    _, complaint = run("restore", copy, "--data", restored, code=1)
    assert "not empty" in complaint
    with world.tacho("embedded", environment={"TACHO_DATA": str(restored)}).raw() as raw:
        assert raw.ask("XLEN", "orders") == 200
        assert raw.ask("XPENDING", "orders", "billing")[0] == 10


def test_restored_to_a_moment(world):
    tacho, data = filled(world, events=20)
    time.sleep(0.01)
    with tacho.raw() as raw:
        seconds, micros = map(int, raw.ask("TIME"))
        moment = seconds * 1000 + micros // 1000
        wait_for(lambda: int(raw.ask("TIME")[0]) * 1000 + int(raw.ask("TIME")[1]) // 1000 > moment)
        for number in range(20):
            raw.ask("XADD", "orders", "*", "late", number)
        raw.ask("XADD", "young", "*", "n", 1)
    copy, restored = world.scratch / "copy", world.scratch / "restored"
    run("backup", copy, "--data", data)
    run("restore", copy, "--data", restored, "--at", moment)
    assert {name: each["events"] for name, each in verify(restored).items()} == {"orders": 20, "other": 1}
    as_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment // 1000)) + f".{moment % 1000:03}Z"
    run("restore", copy, "--data", world.scratch / "again", "--at", as_text)
    assert verify(world.scratch / "again")["orders"]["events"] == 20


def flip(path, needle, offset=0):
    """Turns the bits of one byte at, or near, the last place where these bytes stand in a file."""
    content = bytearray(path.read_bytes())
    place = content.rindex(needle) + offset
    content[place] ^= 0xff
    path.write_bytes(content)


def test_a_flipped_byte_is_named(world):
    tacho, data = filled(world)
    copy = world.scratch / "copy"
    run("backup", copy, "--data", data)
    with tacho.raw() as raw:
        event = raw.ask("XRANGE", "orders", "-", "+", "COUNT", "100")[-1]
    # Each event carries its own correlation id, and nothing else does.
    flip(copy / "events.sqlite", event[1][-1])
    broken = verify(copy, code=1)
    assert broken["other"]["whole"]
    first = broken["orders"]["break"]
    assert (first["offset"], first["id"], first["kind"]) == (100, event[0].decode(), "changed")
    assert len(first["expected"]) == 64 and first["expected"] != first["found"]
    text, _ = run("verify", copy, code=1)
    assert f"BROKEN at offset 100" in text and first["expected"] in text
    # From a damaged copy nothing is restored, unless that is asked for.
    restored = world.scratch / "restored"
    _, complaint = run("restore", copy, "--data", restored, code=1)
    assert "Nothing was restored" in complaint and "offset 100" in complaint
    assert not (restored / "events/events.sqlite").exists()
    run("restore", copy, "--data", restored, "--force")
    assert verify(restored, code=1)["orders"]["events"] == 99


def test_a_damaged_file_is_told_at_the_door(world):
    _, data = filled(world)
    for name, damage in {
        "header": lambda path: path.write_bytes(b"#" * 100 + path.read_bytes()[100:]),
        "short": lambda path: path.write_bytes(path.read_bytes()[:5000]),
        "other": lambda path: path.write_bytes(b"no database\n" * 1000),
    }.items():
        place = world.scratch / name
        run("backup", place / "events", "--data", data)
        damage(place / "events/events.sqlite")
        _, complaint = run("run", "--redis", "0=embedded", "--http", "none", "--otlp", "none", "--data", place, code=1)
        assert "damaged" in complaint and "events.sqlite" in complaint, f"{name}: {complaint}"
        _, complaint = run("verify", place, code=1)
        assert "damaged" in complaint, f"{name}: {complaint}"


def test_wrong_words_are_told(world):
    empty = world.scratch / "empty"
    empty.mkdir()
    for words in (["verify", empty], ["backup", empty / "copy", "--data", empty], ["restore", empty, "--data", "x"]):
        _, complaint = run(*words, code=1, cwd=world.scratch)
        assert "there is no event log in" in complaint
    for words in (["restore", empty, "--at", "noon"], ["backup", "x", "--max-lag", "0"], ["completions", "tcsh"]):
        run(*words, code=2)
    assert sorted(os.listdir(empty)) == [], "a refused command has left something"
    _, data = filled(world, events=1)
    _, complaint = run("verify", data, "--stream", "none", code=1)
    assert "there is no stream none" in complaint


def test_a_killed_backup_or_restore_leaves_nothing_that_passes_for_a_log(world):
    _, data = filled(world, events=60, size=200_000)
    dice = random.Random(3)
    whole = world.scratch / "whole"
    run("backup", whole, "--data", data)
    for attempt in range(6):
        target = world.scratch / f"target{attempt}"
        words = ["backup", target, "--data", data] if attempt % 2 else ["restore", whole, "--data", target]
        place = target if attempt % 2 else target / "events"
        child = subprocess.Popen([binary(), *map(str, words)], stdout=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.005, 0.12))
        child.kill()
        child.wait()
        if (place / "events.sqlite").exists():
            assert verify(target)["orders"]["events"] == 60
        else:
            run(*words)
            assert verify(target)["orders"]["events"] == 60


def test_a_second_copy_is_kept_close_behind(world):
    tacho, data = filled(world, events=50)
    copy = world.scratch / "second"
    copying = CopyingProcess(data, copy, lag=0.4)
    world.keep(Closing(copying.kill))
    copying.wait_for("whole")
    with tacho.raw() as raw:
        for number in range(300):
            raw.ask("XADD", "orders", "*", "n", number, "data", "y" * 2000)
    wait_for(lambda: verify(copy)["orders"]["events"] == 350)
    # A crash of the copying process, and of the log, while both work.
    copying.kill()
    with tacho.raw() as raw:
        raw.ask("XADD", "orders", "*", "n", "after")
    assert verify(copy)["orders"]["events"] == 350
    copying = CopyingProcess(data, copy, lag=0.4)
    world.keep(Closing(copying.kill))
    copying.wait_for("followed")
    assert copying.stop() == 0
    assert verify(copy)["orders"]["events"] == 351
    # What is no continuous copy is not written over, be it in use or not.
    assert "open in another process" in run("backup", data / "events", "--data", copy, "--max-lag", 1, code=1)[1]
    tacho.stop()
    assert "no continuous copy" in run("backup", data / "events", "--data", copy, "--max-lag", 1, code=1)[1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(shell, tmp_path):
    script, _ = run("completions", shell)
    for word in ("backup", "restore", "verify", "events", "max-lag"):
        assert word in script
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script)
        subprocess.run([shell, "-n", path], check=True)


def test_bash_completes_commands(tmp_path):
    script, _ = run("completions", "bash")
    (tmp_path / "tacho.bash").write_text(script)
    link = tmp_path / "tacho"
    link.symlink_to(binary())
    asked = """source tacho.bash; COMP_WORDS=(tacho ver); COMP_CWORD=1; COMP_LINE='tacho ver'; COMP_POINT=9
        $(complete -p tacho | sed -E 's/.*-F ([^ ]+).*/\\1/') tacho ver tacho; printf '%s\\n' "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert "verify" in done.stdout.split() and "version" in done.stdout.split(), done.stderr
