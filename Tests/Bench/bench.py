"""scripts/bench redis|nats: a server directly, behind HAProxy in TCP mode, and behind Tachograph, interleaved."""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report
from contenders import BenchError, Running, Stage
from load_nats import NatsLoad
from load_redis import RedisLoad
from measure import Sample, measure

# Name -> environment. The thread count of HAProxy is one; Tachograph runs with its default and with one as well.
ONE_PERCENT = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
TACHO_CONTENDERS = {
    "redis": {
        "tacho off": {"OTEL_TRACES_SAMPLER": "always_off"},
        "tacho 1%": ONE_PERCENT,
        "tacho 100%": {"OTEL_TRACES_SAMPLER": "always_on"},
        "tacho 100% 1 thread": {"OTEL_TRACES_SAMPLER": "always_on", "TACHO_THREADS": "1"},
    },
    "nats": {
        "tacho off": {"OTEL_TRACES_SAMPLER": "always_off"},
        "tacho 1%": ONE_PERCENT,
        "tacho 1% 1 thread": ONE_PERCENT | {"TACHO_THREADS": "1"},
        "tacho 100%": {"OTEL_TRACES_SAMPLER": "always_on"},
    },
}

Results = dict[str, dict[str, list[Sample]]]


def main() -> int:
    """Runs the benchmark; 1 with a message when it could not be done."""
    options = parse_arguments()
    try:
        with tempfile.TemporaryDirectory(prefix="tacho-bench-") as scratch, contextlib.ExitStack() as stack:
            run(options, Stage(Path(scratch), stack))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def parse_arguments() -> argparse.Namespace:
    """--quick is for seeing that everything works: its numbers are too short to quote."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("bus", choices=("redis", "nats"), help="which server and load")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each kind, 1 to 50 (5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="wanted length of one measurement, 0.1 to 20 (1.5)")
    parser.add_argument("--quick", action="store_true", help="one round of 0.3 s")
    parser.add_argument("--only", metavar="TEXT", help="only workloads whose label contains TEXT, such as 'XADD P=16'")
    parser.add_argument("--tacho", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--sink", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--nats-load", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--results", required=True, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.3
    if not (1 <= options.rounds <= 50 and 0.1 <= options.seconds <= 20):
        parser.error("--rounds must be 1 to 50 and --seconds 0.1 to 20")
    options.load = RedisLoad() if options.bus == "redis" else NatsLoad(options.nats_load)
    known = options.load.workloads
    options.workloads = [w for w in known if options.only is None or options.only in w.label]
    if not options.workloads:
        parser.error(f"no workload has {options.only!r} in its label: {', '.join(w.label for w in known)}")
    return options


def run(options: argparse.Namespace, stage: Stage) -> None:
    """Starts everything, measures in rounds, prints the tables and writes the results."""
    load = options.load
    machine = describe_machine(options.tacho, load)
    server = stage.redis() if options.bus == "redis" else stage.nats()
    contenders = [server, stage.haproxy(server.port)]
    if options.tacho != "none":
        sink = stage.sink(options.sink)
        for name, environment in TACHO_CONTENDERS[options.bus].items():
            binary = Path(options.tacho)
            contenders.append(stage.tacho(name, binary, load.protocol, server.port, sink.port, environment))
    time.sleep(1)
    idle_memory = {contender.name: contender.resident_bytes() for contender in contenders}

    counts = {workload: calibrated_count(server, load, workload, options.seconds) for workload in options.workloads}
    results = measure_rounds(contenders, server, load, counts, options.rounds)

    print("\n".join(report.text(machine, idle_memory, results, options.workloads)))
    name = f"{options.bus}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    options.results.mkdir(exist_ok=True)
    document = {
        "machine": machine,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "idle_resident_bytes": idle_memory,
        "summary": report.summaries(results),
        "samples": {w: {c: [s.as_json() for s in ss] for c, ss in cs.items()} for w, cs in results.items()},
    }
    (options.results / name).write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nwritten to {options.results.name}/{name}")


def calibrated_count(server: Running, load, workload, seconds: float) -> int:
    """How many messages last about so long without a proxy: the same number for every contender."""
    messages = load.calibration_messages
    for length in (min(0.3, seconds), seconds):
        load.prepare(server.port)
        per_second = load.drive(server, workload, messages).messages_per_second
        messages = max(1000, min(load.most_messages, int(per_second * length)))
    return messages


def measure_rounds(contenders: list[Running], server: Running, load, counts: dict, rounds: int) -> Results:
    """One discarded warm-up each, then the rounds; the order of contenders moves on by one each time."""
    results: Results = {workload.label: {c.name: [] for c in contenders} for workload in counts}
    for workload, messages in counts.items():
        for contender in contenders:
            measure(contender, server, load, workload, max(1000, messages // 10))
    turn = 0
    for number in range(rounds):
        for workload, messages in counts.items():
            show(f"round {number + 1} of {rounds}: {workload.label}, {messages} messages")
            for contender in contenders[turn:] + contenders[:turn]:
                results[workload.label][contender.name].append(measure(contender, server, load, workload, messages))
            turn = (turn + 1) % len(contenders)
    return results


def show(line: str) -> None:
    """Progress, apart from the result."""
    print(line, file=sys.stderr, flush=True)


def describe_machine(tacho: str, load) -> dict[str, str | float]:
    """What the numbers depend on besides the programs' own code."""
    processors = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in processors if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_average_at_start": os.getloadavg()[0],
        load.protocol: first_line(*load.version_command),
        "haproxy": first_line("haproxy", "-v"),
        "tacho": "not measured" if tacho == "none" else first_line(tacho, "--version"),
        "revision": first_line("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"),
    }


def first_line(*command: str) -> str:
    """The first line a program prints, or a remark that it printed none."""
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except OSError:
        output = ""
    return output.splitlines()[0].strip() if output.strip() else "unknown"


if __name__ == "__main__":
    sys.exit(main())
