"""A task's data in a few lines, from its summary in the lock."""

from __future__ import annotations

from collections.abc import Iterator

from bench.suite.schema import Task
from bench.suite.trial import Json

SHOWN = 8
"""Classes that are named, the largest first."""


def lines(name: str, task: Task, summary: Json) -> Iterator[str]:
    """Rows, classes, lengths and repeats, then a line for each remark."""
    rows = summary["rows"]
    parts = [", ".join(f"{count:,} {split}" for split, count in rows.items())]
    if classes := summary.get("classes"):
        parts.append(_classes(classes))
    if lengths := summary.get("lengths"):
        middle, most, longest = (f"{lengths[key]:,}" for key in ("median", "p95", "longest"))
        parts.append(f"{middle} {lengths['unit']} (median), {most} (95 %), {longest} at most")
    if leaks := summary.get("duplicates", {}).get("leaks"):
        parts.append(f"{leaks:,} that also stand in a test split left out")
    yield f"task {name}: {'; '.join(parts)}"
    yield from (f"task {name}: remark: {remark}" for remark in summary["remarks"])
    beyond = [str(size) for size in task.sizes if isinstance(size, int) and size > rows["train"]]
    if beyond:
        yield (
            f"task {name}: remark: size{'s' * (len(beyond) > 1)} {', '.join(beyond)}: train has {rows['train']:,} "
            "examples; nothing runs there"
        )


def _classes(classes: dict[str, dict[str, int]]) -> str:
    """`2 classes ('bad': 320 + 80, 'good': 320 + 80)`: how many of each split."""
    largest = sorted(classes.items(), key=lambda entry: -entry[1].get("train", 0))
    named = [f"{label!r}: {' + '.join(f'{count:,}' for count in counts.values())}" for label, counts in largest[:SHOWN]]
    more = [f"{len(classes) - SHOWN} more"] if len(classes) > SHOWN else []
    return f"{len(classes)} classes ({', '.join(named + more)})"
