"""Samples into medians, ratios and text. A ratio compares measurements of one round; what is shown is their median."""

from statistics import median

BASELINE = "haproxy"

IDLE_MEMORY_AIM_BYTES = 30 * 1024 * 1024

COLUMNS = (
    ("", 20), ("msg/s", 9), ("x haproxy", 10), ("p50 ms", 8), ("p95 ms", 8), ("p99 ms", 8), ("cpu us/msg", 11),
    ("x haproxy", 10), ("aim", 15), ("server us", 10), ("exported", 9),
)  # fmt: skip


def summaries(results) -> dict:
    """Workload -> contender -> medians and ratios."""
    return {
        workload: {name: summary(samples, by_contender[BASELINE]) for name, samples in by_contender.items()}
        for workload, by_contender in results.items()
    }


def summary(samples, baseline) -> dict:
    """Medians of one contender's samples, and its ratios to the baseline, round by round."""

    def middle(attribute: str) -> float:
        return median(getattr(sample, attribute) for sample in samples)

    def ratio(attribute: str) -> float:
        pairs = zip(samples, baseline, strict=True)
        return median(getattr(ours, attribute) / getattr(theirs, attribute) for ours, theirs in pairs)

    started = sum(sample.spans_started for sample in samples)
    return {
        "messages_per_second": middle("messages_per_second"),
        "throughput_ratio": ratio("messages_per_second"),
        "p50_milliseconds": middle("p50_milliseconds"),
        "p95_milliseconds": middle("p95_milliseconds"),
        "p99_milliseconds": middle("p99_milliseconds"),
        "cpu_microseconds_per_message": middle("cpu_microseconds_per_message"),
        "cpu_ratio": ratio("cpu_microseconds_per_message"),
        "server_microseconds_per_message": middle("server_microseconds_per_message"),
        "spans_exported_share": sum(sample.spans_exported for sample in samples) / started if started else None,
    }


def text(machine: dict, idle_memory: dict[str, int], results, workloads) -> list[str]:
    """The lines to print. `workloads` know what is aimed at."""
    by_label = {workload.label: workload for workload in workloads}
    lines = [f"{key}: {value}" for key, value in machine.items()]
    for workload, by_contender in summaries(results).items():
        lines += ["", workload, "".join(title.rjust(width) for title, width in COLUMNS)]
        lines += [row(by_label[workload], name, values) for name, values in by_contender.items()]
    lines += ["", "idle resident memory, MiB"]
    lines += [
        f"  {name:<20}{size / 1024 / 1024:7.1f}{memory_verdict(name, size)}" for name, size in idle_memory.items()
    ]
    return lines


def row(workload, name: str, values: dict) -> str:
    """One contender's line in a workload's table."""
    is_proxy = name != "direct"
    exported = values["spans_exported_share"]
    cells = [
        name,
        f"{values['messages_per_second']:.0f}",
        f"{values['throughput_ratio']:.2f}",
        f"{values['p50_milliseconds']:.3f}",
        f"{values['p95_milliseconds']:.3f}",
        f"{values['p99_milliseconds']:.3f}",
        f"{values['cpu_microseconds_per_message']:.2f}" if is_proxy else "-",
        f"{values['cpu_ratio']:.2f}" if is_proxy else "-",
        aim(workload, name, values) if name.startswith("tacho") else "",
        f"{values['server_microseconds_per_message']:.2f}",
        f"{exported:.1%}" if exported is not None else "-",
    ]
    return "".join(cell.rjust(width) for cell, (_, width) in zip(cells, COLUMNS, strict=True))


def aim(workload, name: str, values: dict) -> str:
    """Whether the ratios meet their aims: `met`, or which of cpu and rate does not; nothing where none is set."""
    cpu_limit = workload.cpu_aim(name)
    if cpu_limit is None:
        return ""
    missed = []
    if values["cpu_ratio"] > cpu_limit:
        missed.append(f"cpu>{cpu_limit}")
    if workload.rate_aim is not None and values["throughput_ratio"] < workload.rate_aim:
        missed.append("rate")
    return ",".join(missed) or "met"


def memory_verdict(name: str, size: int) -> str:
    """Said only where there is an aim."""
    if not name.startswith("tacho"):
        return ""
    return "  met" if size < IDLE_MEMORY_AIM_BYTES else "  over 30"
