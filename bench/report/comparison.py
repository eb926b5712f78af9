"""What `bench compare` found, as tables."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from bench.printable import printable
from bench.report import environment
from bench.report.numbers import NONE, score
from bench.report.table import Cell, Table, cells

if TYPE_CHECKING:
    from bench.analysis.compare import Comparison, Difference

SAME = "="
"""Marks scores that are the same to the bit."""
CLEAR = "*"
"""Marks a difference whose interval leaves 0 out."""
UNPAIRED = "u"
"""Marks a difference of other trials."""


def heads(found: Comparison) -> list[str]:
    """Which environment A and B are, and what differs between them."""
    sides = []
    for name, suite, one in zip("AB", found.suites, found.environments, strict=True):
        said = f"{suite}, environment {one.get('id') or NONE}: {environment.line(one)}"
        sides.append(printable(f"{name}: {said}"))
    differing = [f"{printable(key)} {printable(a)} → {printable(b)}" for key, (a, b) in found.differing.items()]
    return [*sides, "differs in: " + ("; ".join(differing) if differing else "nothing that is recorded")]


def tables(found: Comparison) -> list[Table]:
    """The differences, then what each column concludes."""
    return [_differences(found), *([_conclusions(found)] if found.conclusions else [])]


def _differences(found: Comparison) -> Table:
    rows = []
    for one in found.differences:
        names = map(printable, (one.task, one.model, one.regime, one.size, f"{one.noise:g}"))
        seeds = str(one.pairs) if one.pairs else f"{one.seeds[0]}, {one.seeds[1]}"
        times = NONE if math.isnan(one.seconds) else f"{one.seconds:.2f}"
        difference = Cell(_interval(one), bold=one.clear, marks=_marks(one))
        rows.append([*cells(*names, one.metric, score(one.a), score(one.b)), difference, *cells(seeds, times)])
    head = ["task", "model", "regime", "size", "noise", "metric", "A", "B", "B − A", "seeds", "time B/A"]
    return Table("B − A, cell by cell", head, "lllrrlrrrrr", rows, notes=_notes(found), name="differences")


def _interval(one: Difference) -> str:
    if math.isnan(one.mean):
        return NONE
    half = "" if math.isnan(one.low) else f" ± {score((one.high - one.low) / 2)}"
    return score(one.mean) + half


def _marks(one: Difference) -> str:
    return (SAME if one.same else "") + (CLEAR if one.clear else "") + ("" if one.pairs else UNPAIRED)


def _notes(found: Comparison) -> list[str]:
    with_interval = [one for one in found.differences if not math.isnan(one.low) and not one.same]
    clear = sum(one.clear for one in with_interval)
    notes = [
        "± half of the 95 % interval over seeds and test examples, as far as both keep them; paired over the trials "
        f"that are the same in both. {CLEAR} leaves 0 out: {clear} of {len(with_interval)}; with no difference "
        f"anywhere about {0.05 * len(with_interval):.1f} would."
    ]
    if any(one.same for one in found.differences):
        notes.append(f"{SAME} every score is the same to the bit.")
    if unpaired := [one for one in found.differences if not one.pairs]:
        changed = sorted({key for one in unpaired for key in one.changed})
        others = sorted({one.basis for one in unpaired if one.basis.startswith("another metric")})
        why = f"they differ in {', '.join(map(printable, changed))}" if changed else "; ".join(others)
        notes.append(f"{UNPAIRED} not the same trials ({why}): not paired, and the difference is theirs too.")
    for side, only in (("A", found.only_a), ("B", found.only_b)):
        if only:
            notes.append(f"Scored in {side} alone: {'; '.join(map(printable, only))}.")
    return notes


def _conclusions(found: Comparison) -> Table:
    rows = []
    for one in found.conclusions:
        names = map(printable, (one.task, one.model, one.size, f"{one.noise:g}"))
        verdicts = (printable(side or "undecided") for side in one.verdict)
        counts = map(len, one.could_be_best)
        changed = Cell("yes" if one.changed else "no", bold=one.changed)
        rows.append([*cells(*names, *map(printable, one.best), *counts, *verdicts), changed])
    sides = [f"{said} {side}" for said in ("best in", "could be best in", "verdict of") for side in "AB"]
    head = ["task", "model", "size", "noise", *sides, "changed"]
    notes = [
        "Changed: the best of one side could not be best on the other, or the verdicts differ. Could be best: how "
        "many; --json names them."
    ]
    return Table("What A and B conclude", head, "llrrllrrlll", rows, notes=notes, name="conclusions")


def to_json(found: Comparison) -> dict[str, Any]:
    """All of it, without numbers that are none."""
    whole = dataclasses.asdict(found)
    whole["differing"] = {key: [*values] for key, values in found.differing.items()}
    for row, one in zip(whole["differences"], found.differences, strict=True):
        row["clear"] = one.clear
        row |= {key: None for key, value in row.items() if isinstance(value, float) and not math.isfinite(value)}
    for row, conclusion in zip(whole["conclusions"], found.conclusions, strict=True):
        row["changed"] = conclusion.changed
    return whole
