"""How many seeds, or test examples, would settle whether a regime is enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from bench.analysis.column import Column, Difference
from bench.analysis.verdict.adequate import Adequacy, quantile

MOST_SEEDS = 200
MOST_EXAMPLES = 1_000_000
"""More than these are no plan: the lead is as close to the tolerance as can be told."""
POWER = 0.8
"""The probability with which the reckoned number is to be enough, were the leads as they look."""
PRIOR = 3.0
"""Degrees of freedom that the pooled seed variance adds to a regime's own (docs/statistics.md)."""


@dataclass(frozen=True)
class Settling:
    """What would settle a column: `seeds` in all, or `examples` in all, or both together; None where that is no way.

    close: no number of either within reason does: the truth may lie on the tolerance itself.
    """

    seeds: int | None
    examples: int | None
    close: bool


def _needed(lead: Difference, gap: float, level: float, seeds: int) -> float:
    """(t + z) at so many seeds: of the test, and of the power to come out on its right side."""
    df = min(max(lead.df, 1.0), PRIOR + seeds - 1) if seeds <= lead.seeds else PRIOR + seeds - 1
    return quantile(level, df) + float(ndtri(POWER))


def seeds_needed(lead: Difference, tolerance: float, level: float) -> int | None:
    """The smallest S ≥ (t + z)² s̃² / ((tol − δ̂)² − (t + z)² σ_b²/N) for one lead; None where no number of seeds does.

    δ̂: the lead of the other; beyond the tolerance it is the number that shows the regime to be out.
    """
    gap = abs(tolerance - lead.mean)
    for seeds in range(max(lead.seeds, 2), MOST_SEEDS + 1):
        factor = _needed(lead, gap, level, seeds) ** 2
        room = gap**2 - factor * lead.example_variance / max(lead.examples, 1)
        if room > 0 and factor * lead.seed_variance / seeds <= room:
            return seeds
    return None


def examples_needed(lead: Difference, tolerance: float, level: float, seeds: int) -> int | None:
    """The number of test examples N that does with so many seeds; None where no number does."""
    gap = abs(tolerance - lead.mean)
    factor = _needed(lead, gap, level, seeds) ** 2
    room = gap**2 - factor * lead.seed_variance / seeds
    if room <= 0:
        return None
    return max(lead.examples, math.ceil(factor * lead.example_variance / room))


def _both(lead: Difference, tolerance: float, level: float) -> tuple[int, int] | None:
    """Seeds and examples that take half of the room each."""
    gap = abs(tolerance - lead.mean)
    for seeds in range(max(lead.seeds, 2), MOST_SEEDS + 1):
        factor = _needed(lead, gap, level, seeds) ** 2
        if 2 * factor * lead.seed_variance / seeds <= gap**2:
            return seeds, max(lead.examples, math.ceil(2 * factor * lead.example_variance / gap**2))
    return None


def settle(column: Column, adequacy: Adequacy, name: str) -> Settling | None:
    """What would settle whether a regime is enough; None where it is settled, or nothing can be reckoned."""
    if adequacy.standing.get(name) != "open" or not adequacy.leads[name]:
        return None
    tolerance, level = column.tolerance, adequacy.level
    leads = adequacy.leads[name].values()
    beaten = [lead for lead in leads if lead.mean > tolerance]
    # one lead beyond the tolerance puts it out; else all must be shown to be within
    asked = [max(beaten, key=lambda lead: lead.mean)] if beaten else list(leads)
    seeds = [seeds_needed(lead, tolerance, level) for lead in asked]
    if all(one is not None for one in seeds):
        return Settling(max(one for one in seeds if one is not None), None, False)
    now = max(lead.seeds for lead in asked)
    examples = [examples_needed(lead, tolerance, level, now) for lead in asked]
    if all(one is not None and one <= MOST_EXAMPLES for one in examples):
        return Settling(None, max(one for one in examples if one is not None), False)
    both = [_both(lead, tolerance, level) for lead in asked]
    known = [one for one in both if one is not None and one[1] <= MOST_EXAMPLES]
    if len(known) == len(both):
        return Settling(max(one[0] for one in known), max(one[1] for one in known), False)
    return Settling(None, None, True)
