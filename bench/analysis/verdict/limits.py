"""What a user cannot afford, and a column without it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.analysis.column import Column
from bench.analysis.verdict.costs import costs


@dataclass(frozen=True)
class Limits:
    """memory: bytes of the highest peak; train_seconds: of training, tuning included. None: no limit."""

    memory: float | None = None
    train_seconds: float | None = None


def within(column: Column, limits: Limits) -> tuple[Column, dict[str, str]]:
    """The column without what is over a limit, and why each of those is. What was not measured is over any limit."""
    over: dict[str, str] = {}
    for most, prefer, what in (
        (limits.memory, "memory", "memory"), (limits.train_seconds, "train-time", "time to train")
    ):  # fmt: skip
        if most is None:
            continue
        for name, cost in costs(column, prefer).items():  # type: ignore[arg-type]
            if not cost <= most:
                over.setdefault(name, f"its {what} is over the limit" if cost > most else f"its {what} is not recorded")
    if not over:
        return column, over
    return replace(column, candidates=tuple(one for one in column.candidates if one.name not in over)), over
