"""One table of every score: tasks and sizes by regime, with the verdict in bold."""

from __future__ import annotations

from collections.abc import Mapping

from bench.analysis.frame import BASELINES
from bench.analysis.verdict.decision import Verdict
from bench.analysis.verdict.findings import Findings, best_of, regimes_of
from bench.report import numbers
from bench.report.table import Cell, Table
from bench.report.wording import budget, named

OPEN = "?"
BASELINE = "best baseline"


def table(findings: Findings, apart: Mapping[str, str]) -> list[Table]:
    """A row for each task, model, size and noise rate; empty where nothing has a score."""
    verdicts = findings.verdicts
    if not verdicts:
        return []
    regimes = list(dict.fromkeys(one.name for verdict in verdicts for one in regimes_of(verdict.column)))
    simple = any(one.kind == "baseline" for verdict in verdicts for one in verdict.column.candidates)
    rows = []
    for verdict in verdicts:
        column = verdict.column
        place = f"{column.task} with {column.model}{apart[column.environment]} ({column.metric})"
        known = {one.name for one in column.candidates}
        scores = [_score(verdict, name) if name in known else Cell(numbers.NONE) for name in regimes]
        baseline = [_baseline(verdict)] if simple else []
        rows.append([Cell(place), Cell(budget(column)), *scores, *baseline])
    lower = sorted({one.column.metric for one in verdicts if one.column.lower_is_better})
    notes = [
        f"Bold: the verdict. {OPEN} may be enough, which is not settled. No mark: enough as well but dearer, or out, "
        "as the verdicts say."
    ]
    if lower:
        notes.append(f"Lower is better of {', '.join(lower)}.")
    return [
        Table(
            "Overview: mean scores.",
            ["task", "labels", *regimes, *[BASELINE] * simple],
            "ll" + "r" * (len(regimes) + simple),
            rows,
            notes=notes,
            name="overview",
        )
    ]


def _score(verdict: Verdict, name: str) -> Cell:
    doubtful = not verdict.why and verdict.adequacy.standing.get(name) == "open"
    return Cell(numbers.score(verdict.column.candidate(name).mean), verdict.chosen == name, OPEN * doubtful)


def _baseline(verdict: Verdict) -> Cell:
    column = verdict.column
    best = best_of(column, [one for one in column.candidates if one.kind == "baseline"])
    if best is None:
        return Cell(numbers.NONE)
    doubtful = not verdict.why and verdict.adequacy.standing.get(best.name) == "open"
    words = named(column, best.name) if best.name in BASELINES else best.name
    return Cell(f"{numbers.score(best.mean)} {words}", verdict.chosen == best.name, OPEN * doubtful)
