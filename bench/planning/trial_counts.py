"""How far a suite is: what `plan`, `status`, `run` and the report count, they count here, in the same words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from bench.store.record import Record
from bench.suite.trial import Json

INFRASTRUCTURE = frozenset({"killed", "hung", "oom_host"})
"""Statuses that say nothing of the trial: it runs again, at once and next time. Any other is the trial's own."""
GOOD = frozenset({"ok", "not_applicable"})
STATES = ("trials", "done", "failed", "again", "missing", "waiting")
"""all; with a result; ended for reasons of their own; cut short, so that they run again by themselves; never run; and,
of plans of protocol 1, those whose hyperparameters were not known before their tuning had ended."""
WORDS = {"done": "done", "failed": "failed", "again": "to run again", "missing": "missing",
         "waiting": "waiting for tuning"}  # fmt: skip


def state(record: Record | None) -> str:
    """Which of STATES the attempt that counts of a trial puts it in."""
    if record is None:
        return "missing"
    if record["status"] in GOOD:
        return "done"
    return "again" if record["status"] in INFRASTRUCTURE else "failed"


def tally(cells: Iterable[Json], latest: Mapping[str, Record]) -> Iterator[Counter[str]]:
    """Of each cell, as plan.json has them, how many trials are in which state; what several share counts once.

    A cell that is not locked yet counts as the trials it begins with (`tunes`, else its seeds).
    """
    seen: set[str] = set()
    for cell in cells:
        counts: Counter[str] = Counter()
        for trial in (*cell["tuning"], *cell["reported"]):
            if trial not in seen:
                seen.add(trial)
                counts[state(latest.get(trial))] += 1
        if cell["state"] == "waiting" and "choices" not in cell:
            counts["waiting"] += cell["seeds"]
        if cell["state"] == "failed":
            counts["failed"] += cell["seeds"]
        if cell["state"] == "unresolved":
            counts["missing"] += max(cell["seeds"], cell.get("tunes", 0))
        counts["trials"] = sum(counts.values())
        yield counts


def total(cells: Iterable[Json], latest: Mapping[str, Record]) -> Counter[str]:
    """`tally` of all cells together."""
    whole: Counter[str] = Counter()
    for counts in tally(cells, latest):
        whole += counts
    return whole


def said(counts: Mapping[str, int]) -> str:
    """The account as a sentence has it: `85 trials: 80 done, 3 failed, 2 missing`."""
    parts = [f"{counts[name]:,} {word}" for name, word in WORDS.items() if counts.get(name)]
    number = counts.get("trials", 0)
    return f"{number:,} trial{'s' * (number != 1)}: {', '.join(parts) or 'none'}"
