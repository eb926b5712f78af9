"""Which regimes are enough: by at most the tolerance worse than every other, shown by intersection–union tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scipy.special import stdtrit

from bench.analysis.column import Candidate, Column, Difference

ALPHA = 0.05
"""The error rate of a column; each of its K − 1 one-sided tests has that part of it."""
Standing = Literal["adequate", "open", "out"]


@dataclass(frozen=True)
class Adequacy:
    """How every candidate of a column stands, in the column's order.

    standing: `adequate`: shown to be at most the tolerance worse than every other; `out`: shown to be more than that
    worse than some other; `open`: neither. leads: how much better each other is ({name: {other: Difference}}).
    unclear: why the others say nothing yet, by the name of the one of which no claim is possible.
    """

    standing: dict[str, Standing]
    leads: dict[str, dict[str, Difference]]
    unclear: dict[str, str]
    level: float

    def named(self, standing: Standing) -> list[str]:
        """The candidates that stand so."""
        return [name for name, found in self.standing.items() if found == standing]


def quantile(level: float, df: float) -> float:
    """Student's t that is exceeded with probability `level`; the normal's where the degrees of freedom are infinite."""
    return float(-stdtrit(min(df, 1e9), level))


def level_of(count: int) -> float:
    """The level of each one-sided test where `count` candidates are compared."""
    return ALPHA / max(count - 1, 1)


def upper(lead: Difference, level: float) -> float:
    """The one-sided upper bound of a lead."""
    return lead.mean + (quantile(level, lead.df) * lead.se if lead.se > 0 else 0.0)


def lower(lead: Difference, level: float) -> float:
    """The one-sided lower bound of a lead."""
    return lead.mean - (quantile(level, lead.df) * lead.se if lead.se > 0 else 0.0)


def _why(candidate: Candidate) -> str:
    if candidate.labelled and candidate.kind != "baseline" and len(candidate.seeds) < 2:
        return "has one seed"
    if candidate.kind == "baseline":
        return "has no answers of its own that could be compared"
    return "has no seeds or examples in common with the others"


def adequate(column: Column) -> Adequacy:
    """Judge every candidate of a column (Berger 1982: a union of hypotheses is rejected when each of them is).

    One of which no difference to any other can be judged is `open`. A regime of that kind leaves nobody adequate, for
    it could be better; a baseline of that kind is left out of the comparison. Who is out need not be compared with:
    some other is better than it, and is compared with.
    """
    candidates = {one.name: one for one in column.candidates}
    leads = {
        name: {o: lead for o in candidates if o != name and (lead := column.difference(o, name)) is not None}
        for name in candidates
    }
    several = len(candidates) > 1
    unclear = {name: _why(candidates[name]) for name in candidates if several and not leads[name]}
    blocking = {name for name in unclear if candidates[name].kind != "baseline"}
    level = level_of(len(candidates) - len(unclear.keys() - blocking))
    margin = column.tolerance
    out = {name for name in candidates if any(lower(lead, level) > margin for lead in leads[name].values())}
    asked = candidates.keys() - out - (unclear.keys() - blocking)
    standing: dict[str, Standing] = {}
    for name in candidates:
        known = asked - {name} <= leads[name].keys() and name not in unclear
        shown = known and all(upper(lead, level) < margin for lead in leads[name].values())
        standing[name] = "out" if name in out else "adequate" if shown else "open"
    return Adequacy(standing, leads, unclear, level)
