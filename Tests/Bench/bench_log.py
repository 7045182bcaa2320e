"""Appends to a durable log: the embedded one of Tachograph beside a Redis that syncs before it answers, and JetStream.

Rounds are interleaved: each measures every contender with every number of publishers, and who begins moves on by one.
"""

import argparse
import json
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from contenders import BenchError, Stage
from load_log import PAYLOAD_BYTES, Contender, Generators, all_contenders
from log_limits import once, ten_million

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


def measure(contender: Contender, publishers: int, events: int) -> Sample:
    """Appends the events, one at a time for each publisher."""
    before = contender.running.cpu_seconds()
    speed = contender.load(publishers, events)
    return Sample(
        events, speed.messages_per_second, speed.p50_milliseconds, speed.p95_milliseconds, speed.p99_milliseconds,
        cpu_microseconds_per_event=(contender.running.cpu_seconds() - before) / events * 1e6,
        resident_mebibytes=contender.running.resident_bytes() / 2**20,
    )


def calibrate(redis: Contender, publishers: int, seconds: float) -> int:
    """How many events the plain Redis takes in the time of one measurement."""
    trial = measure(redis, publishers, 200 * min(publishers, 20))
    return max(200, int(trial.events_per_second * seconds))


def run(contenders: list[Contender], options) -> dict:
    """All samples: publishers -> contender -> list."""
    events = {publishers: calibrate(contenders[0], publishers, options.seconds) for publishers in PUBLISHERS}
    for each in contenders:
        measure(each, 50, 1_000)
    results = {publishers: {each.name: [] for each in contenders} for publishers in PUBLISHERS}
    for number in range(options.rounds):
        for publishers in PUBLISHERS:
            first = number % len(contenders)
            for each in contenders[first:] + contenders[:first]:
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


def bench(options) -> tuple[list[str], dict]:
    """What is printed, and all samples."""
    generators = Generators(
        *(Path(path).resolve() for path in (options.http_load, options.nats_load, options.stream_read)))
    scratch = Path(tempfile.mkdtemp(prefix="bench-log-", dir=options.scratch))
    stage = Stage(scratch)
    lines, results = [f"machine: {platform.machine()}, {platform.release()}"], {}
    try:
        with stage.stack:
            if options.long:
                return lines + ten_million(stage, options, generators), results
            contenders = all_contenders(stage, options, generators)
            results = run(contenders, options)
            lines += table(results)
            print("\n".join(lines), file=sys.stderr)
            by_name = {each.name: each.running for each in contenders}
            if "embedded, no spans" in by_name:
                lines += once(stage, options, generators, by_name["redis always"], by_name["embedded, no spans"])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return lines, results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tacho", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--http-load", required=True)
    parser.add_argument("--nats-load", required=True)
    parser.add_argument("--stream-read", required=True)
    parser.add_argument("--results", default="bench-results")
    parser.add_argument("--scratch", help="where the logs are written; a temporary directory by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--long", action="store_true", help="memory and reading at many stored events, nothing else")
    parser.add_argument("--events", type=int, default=10_000_000, help="how many with --long")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    try:
        lines, results = bench(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    place = Path(options.results)
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"log-{time.strftime('%Y%m%dT%H%M%S')}.json"
    samples = {publishers: {name: [asdict(sample) for sample in samples] for name, samples in by_name.items()}
               for publishers, by_name in results.items()}
    file.write_text(json.dumps({"text": lines, "samples": samples}, indent=1))
    print(f"\nall samples: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
