"""`tacho detect`: a series in, the same series with scores out, as a stream."""

import csv
import datetime
import io
import json
import math
import random
import subprocess

import pytest

from harness.tacho import binary

HEADER = "timestamp,value"
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def detect(*arguments, text=None):
    done = subprocess.run(
        [binary(), "detect", *arguments], input=None if text is None else text.encode(), capture_output=True,
        timeout=200)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def series(count, step=60, pulse=None):
    """Gaussian noise around 100 by the minute, with a pulse of 12 deviations."""
    noise = random.Random(7)
    rows = []
    for index in range(count):
        value = 100 + 5 * noise.gauss(0, 1)
        if pulse and index in pulse:
            value += 60
        rows.append(((START + datetime.timedelta(seconds=step * index)).strftime("%Y-%m-%dT%H:%M:%SZ"), f"{value:.3f}"))
    return rows


def text_of(rows):
    return HEADER + "\n" + "".join(f"{timestamp},{value}\n" for timestamp, value in rows)


def test_scores_a_file(tmp_path):
    rows = series(8000, pulse=range(6000, 6100))
    path = tmp_path / "series.csv"
    path.write_text(text_of(rows))
    status, out, err = detect(str(path))
    assert (status, err) == (0, "")
    found = list(csv.reader(io.StringIO(out)))
    assert found[0] == ["timestamp", "value", "anomaly_score"]
    assert [(row[0], row[1]) for row in found[1:]] == rows, "timestamps and values come back as they were written"
    scores = [float(row[2]) for row in found[1:]]
    assert all(0 <= score <= 1 for score in scores)
    assert all(score == 0 for score in scores[:100])
    warnings = [index for index, score in enumerate(scores) if score >= 0.8 and index > 2000]
    assert 6000 in warnings, "the pulse begins"
    assert any(6100 <= index < 6110 for index in warnings), "the pulse ends"
    assert all(6000 <= index < 6110 for index in warnings)


def test_the_same_from_a_pipe_and_in_every_format(tmp_path):
    rows = series(500)
    text = text_of(rows)
    status, plain, _ = detect("-", text=text)
    assert status == 0
    scores = [row[2] for row in csv.reader(io.StringIO(plain))][1:]
    status, out, _ = detect("-", "-o", "json", text=text)
    assert status == 0
    objects = json.loads(out)
    assert [(o["timestamp"], o["value"], o["anomaly_score"]) for o in objects] == [
        (timestamp, float(value), float(score)) for (timestamp, value), score in zip(rows, scores)]
    status, out, _ = detect("-", "--output", "ndjson", text=text)
    assert status == 0
    assert [json.loads(line) for line in out.splitlines()] == objects


def test_answers_while_the_input_is_still_open():
    child = subprocess.Popen([binary(), "detect", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child.stdin.write(f"{HEADER}\n2026-01-01T00:00:00Z,1\n".encode())
        child.stdin.flush()
        assert child.stdout.readline() == b"timestamp,value,anomaly_score\n"
        assert child.stdout.readline() == b"2026-01-01T00:00:00Z,1,0.0\n"
        child.stdin.write(b"2026-01-01T00:01:00Z,2")
        child.stdin.close()
        assert child.stdout.read() == b"2026-01-01T00:01:00Z,2,0.0\n"
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()


def test_byte_order_mark_and_crlf():
    status, out, err = detect("-", text="\ufefftimestamp,value\r\n2026-01-01 00:00:00,1.50\r\n2026-01-01T00:01:00+01:00,2\r\n")
    # The second is an hour earlier than it looks, so it is not later than the first.
    assert status == 0
    assert out == "timestamp,value,anomaly_score\n2026-01-01 00:00:00,1.50,0.0\n2026-01-01T00:01:00+01:00,2,0.0\n"
    assert "1 rows were not scored" in err


def test_what_cannot_be_scored_is_still_a_row():
    rows = [("2026-01-01T00:00:00Z", "1"), ("2026-01-01T00:00:00Z", "5"), ("2025-01-01T00:00:00Z", "9"),
            ("2026-01-01T00:01:00Z", "nan"), ("2026-01-01T00:02:00Z", "1e999"), ("2026-01-01T00:03:00Z", "2")]
    status, out, err = detect("-", text=text_of(rows))
    assert status == 0
    assert [tuple(line.split(",")) for line in out.splitlines()[1:]] == [(*row, "0.0") for row in rows]
    assert "4 rows were not scored" in err


@pytest.mark.parametrize("text, line, word", [
    ("", 1, "the input is empty"),
    ("time;value\n", 1, "expected the header"),
    (f"{HEADER}\n2026-01-01T00:00:00Z,1\nyesterday,2\n", 3, '"yesterday" is no ISO 8601 timestamp'),
    (f"{HEADER}\n2026-02-30T00:00:00Z,1\n", 2, "is no ISO 8601 timestamp"),
    (f"{HEADER}\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,much\n", 3, '"much" is no number'),
    (f"{HEADER}\n2026-01-01T00:00:00Z,1,2\n", 2, "found 3"),
    (f"{HEADER}\n{'9' * 5000}\n", 2, "longer than 4096 bytes"),
])
def test_a_bad_row_is_told_with_its_line(text, line, word):
    status, out, err = detect("-", text=text)
    assert status == 1
    assert word in err and err.count("\n") == 1
    if text:
        assert f"line {line}:" in err
    # What was scored before it is there.
    assert out.count("\n") == max(1, min(line, text.count("\n")) - 1)


def test_bad_usage():
    assert detect()[0] == 2
    assert detect("-", "-o", "xml", text=HEADER)[0] == 2
    assert detect("-", "--resolution", "-1", text=HEADER)[0] == 2
    status, _, err = detect("/nowhere/series.csv")
    assert status == 1 and "cannot read /nowhere/series.csv: No such file" in err


def test_resolution_is_the_unit_of_the_signal():
    rows = [((START + datetime.timedelta(minutes=index)).isoformat(), "0" if index < 3000 else "3")
            for index in range(3001)]
    coarse = detect("-", "--resolution", "50", text=text_of(rows))[1]
    fine = detect("-", text=text_of(rows))[1]
    assert float(coarse.splitlines()[-1].split(",")[2]) < 0.8 < float(fine.splitlines()[-1].split(",")[2])


def test_a_steady_rhythm_scores_little_and_a_broken_one_warns():
    rows = []
    for index in range(3 * 1440):
        moment = START + datetime.timedelta(minutes=index)
        value = 50 + 30 * math.sin(2 * math.pi * index / 1440)
        if index >= 4000:
            value = 120
        rows.append((moment.isoformat(), f"{value:.6f}"))
    scores = [float(line.split(",")[2]) for line in detect("-", text=text_of(rows))[1].splitlines()[1:]]
    assert scores[4000] > 0.8
    assert max(scores[2880:4000]) < 0.8
