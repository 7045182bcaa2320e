"""Appends to a durable log: the embedded one of Tachograph beside a Redis that syncs before it answers.

Every contender acknowledges an event only when it is on disk. Rounds are interleaved: each measures every contender
with every number of publishers, and who begins moves on by one.
"""

import argparse
import csv
import io
import json
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from contenders import BenchError, Running, Stage, free_port
from measure import run_generator

PAYLOAD_BYTES = 512
PUBLISHERS = (1, 50, 500)


@dataclass
class Sample:
    """One measurement."""

    events: int
    events_per_second: float
    p50_milliseconds: float
    p95_milliseconds: float
    p99_milliseconds: float
    cpu_microseconds_per_event: float
    resident_mebibytes: float


def durable_redis(stage: Stage, name: str) -> Running:
    """A Redis that syncs its append-only file before it answers."""
    port = free_port()
    place = stage.scratch / f"redis-{port}"
    place.mkdir()
    return stage.start(name, [
        "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync",
        "always", "--dir", place, "--auto-aof-rewrite-percentage", "0",
    ], port)  # fmt: skip


def tacho(stage: Stage, name: str, binary: Path, upstream: str, collector: int | None) -> Running:
    """A sidecar with the given upstream. Without a collector no span is kept."""
    port, http_port = free_port(), free_port()
    command = [
        binary, "run", "--redis", f"127.0.0.1:{port}={upstream}", "--http", f"127.0.0.1:{http_port}", "--service",
        "bench", "--data", stage.scratch / f"data-{port}", "--otlp",
        f"http://127.0.0.1:{collector}" if collector else "none",
    ]  # fmt: skip
    environment = {} if collector else {"OTEL_TRACES_SAMPLER": "always_off"}
    return stage.start(name, command, port, http_port, environment)


def contenders(stage: Stage, options) -> list[Running]:
    """Everything that is compared."""
    redis = durable_redis(stage, "redis always")
    if options.tacho == "none":
        return [redis]
    binary, collector = Path(options.tacho).resolve(), stage.sink(Path(options.sink).resolve())
    return [
        redis,
        tacho(stage, "redis through tacho", binary, f"127.0.0.1:{durable_redis(stage, 'redis behind').port}",
              collector.port),
        tacho(stage, "embedded", binary, "embedded", collector.port),
        tacho(stage, "embedded, no spans", binary, "embedded", None),
    ]


def measure(running: Running, publishers: int, events: int) -> Sample:
    """Appends the events, one at a time for each publisher."""
    before = running.cpu_seconds()
    output = run_generator(f"{publishers} publishers, {running.name}", [
        "redis-benchmark", "-h", "127.0.0.1", "-p", running.port, "-c", publishers, "-n", events, "-d", PAYLOAD_BYTES,
        "--csv", "--precision", 3, "XADD", "bench", "*", "f", "__data__",
    ])  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(output)))
    if len(rows) != 1:
        raise BenchError(f"{running.name}: redis-benchmark said {output[-2000:]}")
    row = rows[0]
    return Sample(
        events, float(row["rps"]), *(float(row[f"{name}_latency_ms"]) for name in ("p50", "p95", "p99")),
        cpu_microseconds_per_event=(running.cpu_seconds() - before) / events * 1e6,
        resident_mebibytes=running.resident_bytes() / 2**20,
    )


def calibrate(redis: Running, publishers: int, seconds: float) -> int:
    """How many events the plain Redis takes in the time of one measurement."""
    trial = measure(redis, publishers, 200 * min(publishers, 20))
    return max(200, int(trial.events_per_second * seconds))


def run(stage: Stage, options) -> dict:
    """All samples: publishers -> contender -> list."""
    running = contenders(stage, options)
    events = {publishers: calibrate(running[0], publishers, options.seconds) for publishers in PUBLISHERS}
    for each in running:
        measure(each, 50, 1_000)
    results = {publishers: {each.name: [] for each in running} for publishers in PUBLISHERS}
    for number in range(options.rounds):
        for publishers in PUBLISHERS:
            first = number % len(running)
            for each in running[first:] + running[:first]:
                results[publishers][each.name].append(measure(each, publishers, events[publishers]))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    return results


def table(results: dict) -> list[str]:
    """Medians; ratios are medians of the ratios of each round."""
    lines = []
    for publishers, by_name in results.items():
        lines += ["", f"{publishers} publishers, {PAYLOAD_BYTES} bytes, one at a time",
                  f"{'':22}{'events/s':>10}{'x redis':>9}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'cpu us':>9}{'MiB':>8}"]
        for name, samples in by_name.items():
            def middle(attribute, samples=samples):
                return median(getattr(sample, attribute) for sample in samples)

            ratio = median(ours.events_per_second / theirs.events_per_second
                           for ours, theirs in zip(samples, by_name["redis always"], strict=True))
            lines.append(
                f"{name:22}{middle('events_per_second'):10.0f}{ratio:9.2f}{middle('p50_milliseconds'):9.3f}"
                f"{middle('p95_milliseconds'):9.3f}{middle('p99_milliseconds'):9.3f}"
                f"{middle('cpu_microseconds_per_event'):9.1f}{middle('resident_mebibytes'):8.1f}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tacho", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--results", default="bench-results")
    parser.add_argument("--scratch", help="where the logs are written; a temporary directory by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    scratch = Path(tempfile.mkdtemp(prefix="bench-log-", dir=options.scratch))
    stage = Stage(scratch)
    try:
        with stage.stack:
            results = run(stage, options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("\n".join([f"machine: {platform.machine()}, {platform.release()}", *table(results)]))
    place = Path(options.results)
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"log-{time.strftime('%Y%m%dT%H%M%S')}.json"
    file.write_text(json.dumps(
        {publishers: {name: [asdict(sample) for sample in samples] for name, samples in by_name.items()}
         for publishers, by_name in results.items()}, indent=1))
    print(f"\nall samples: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
