"""How verdicts name things: regimes and baselines, places, budgets, scores with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.analysis.candidate import Candidate
from bench.analysis.column import Column, Difference
from bench.analysis.frame import BASELINES
from bench.analysis.verdict.decision import Verdict
from bench.report import numbers


def named(column: Column, name: str) -> str:
    """A candidate as tables call it."""
    kind = next((one.kind for one in column.candidates if one.name == name), "")
    return BASELINES.get(name, name).split(",")[0] if kind == "baseline" else name  # no comma within a list


def listed(names: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    *first, final = names
    return f"{', '.join(first)} {last} {final}" if first else final


def candidates(verdict: Verdict, names: Sequence[str], last: str = "and") -> str:
    """Several candidates as tables call them."""
    return listed([named(verdict.column, name) for name in names], last)


def budget(column: Column) -> str:
    """`512 labels`, `all labels`, with the part of them that is wrong."""
    size = f"{column.size:,}" if isinstance(column.size, int) else str(column.size)
    one = " label" if column.size == 1 else " labels"
    wrong = f", {numbers.percent(column.noise)} of them wrong" if column.noise else ""
    return f"{size}{one}{wrong}"


def drawn_units(one: Candidate) -> str:
    """What of the test split was drawn at random: its examples, or groups of them."""
    return "test examples" if one.clusters is None else "groups of test examples"


def exactly(value: float) -> str:
    """A number of labels that was run."""
    return f"{value:,.0f}"


def count(value: float) -> str:
    """A number of labels that was reckoned, to two digits."""
    if not math.isfinite(value) or value <= 0:
        return "0" if value <= 0 else "∞"
    digits = max(len(str(int(value))) - 2, 0)
    return f"{round(value / 10**digits) * 10**digits:,}"


def score(column: Column, name: str) -> str:
    """A candidate's mean."""
    return numbers.score(column.candidate(name).mean)


def tolerance(column: Column) -> str:
    """As scores are written; smaller ones with the digits they need."""
    said = numbers.score(column.tolerance)
    return said if float(f"0{said}" if said.startswith(".") else said) else f"{column.tolerance:.2g}"


def interval(lead: Difference) -> str:
    """`.138 (95 %: .110 to .166)`."""
    if math.isnan(lead.low):
        return numbers.score(lead.mean)
    return f"{numbers.score(lead.mean)} (95 %: {numbers.score(lead.low)} to {numbers.score(lead.high)})"


def probability(value: float) -> str:
    """A probability in per cent, never quite 0 or 1."""
    if math.isnan(value):
        return numbers.NONE
    if value > 0.995:
        return "over 99 %"
    return "under 1 %" if value < 0.005 else f"{100 * value:.0f} %"
