"""How many seeds, or test examples, would settle whether a regime is enough."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.special import ndtri

from bench.analysis.column import Column, Difference
from bench.analysis.verdict.adequate import Adequacy, quantile, upper

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


def _needed(level: float, seeds: int) -> float:
    """t + z at so many seeds: of the test, and of the power to come out on its right side."""
    return quantile(level, PRIOR + seeds - 1) + float(ndtri(POWER))


def seeds_needed(lead: Difference, tolerance: float, level: float) -> int | None:
    """The smallest S ≥ (t + z)² s̃² / ((tol − δ̂)² − (t + z)² σ_b²/N) for one lead that is not settled by the seeds there
    are; None where no number of seeds does.

    δ̂: the lead of the other; beyond the tolerance it is the number that shows the regime to be out.
    """
    gap = abs(tolerance - lead.mean)
    for seeds in range(max(lead.seeds, 1) + 1, MOST_SEEDS + 1):
        factor = _needed(level, seeds) ** 2
        room = gap**2 - factor * lead.example_variance / max(lead.examples, 1)
        if room > 0 and factor * lead.seed_variance / seeds <= room:
            return seeds
    return None


def examples_needed(lead: Difference, tolerance: float, level: float, seeds: int) -> int | None:
    """The number of test examples N that does with so many seeds; None where no number does."""
    gap = abs(tolerance - lead.mean)
    factor = _needed(level, seeds) ** 2
    room = gap**2 - factor * lead.seed_variance / seeds
    if room <= 0:
        return None
    return max(lead.examples, math.ceil(factor * lead.example_variance / room))


def _both(lead: Difference, tolerance: float, level: float) -> tuple[int, int] | None:
    """Seeds and examples that take half of the room each."""
    gap = abs(tolerance - lead.mean)
    for seeds in range(max(lead.seeds, 1) + 1, MOST_SEEDS + 1):
        factor = _needed(level, seeds) ** 2
        if 2 * factor * lead.seed_variance / seeds <= gap**2:
            return seeds, max(lead.examples, math.ceil(2 * factor * lead.example_variance / gap**2))
    return None


def settle(column: Column, adequacy: Adequacy, name: str) -> Settling | None:
    """What would settle whether a regime is enough; None where it is settled, or nothing can be reckoned."""
    tolerance, level = column.tolerance, adequacy.level
    leads = adequacy.leads.get(name, {}).values()
    # one lead beyond the tolerance puts it out; else all that are not must be shown to be within
    beaten = [max(leads, key=lambda lead: lead.mean)] if any(lead.mean > tolerance for lead in leads) else []
    asked = beaten or [lead for lead in leads if upper(lead, level) >= tolerance]
    if adequacy.standing.get(name) != "open" or not asked:
        return None
    seeds = _most(seeds_needed(lead, tolerance, level) for lead in asked)
    if seeds is not None:
        return Settling(seeds, None, False)
    now = max(lead.seeds for lead in asked)
    examples = _most(examples_needed(lead, tolerance, level, now) for lead in asked)
    if examples is not None and examples <= MOST_EXAMPLES:
        return Settling(None, examples, False)
    both = [_both(lead, tolerance, level) for lead in asked]
    seeds = _most(one and one[0] for one in both)
    examples = _most(one and one[1] for one in both)
    if seeds is None or examples is None or examples > MOST_EXAMPLES:
        return Settling(None, None, True)
    have = max(lead.examples for lead in asked)
    return Settling(seeds, examples if examples > have else None, False)


def _most(counts: Iterable[int | None]) -> int | None:
    """The largest of them; None where one is."""
    found = list(counts)
    return None if any(one is None for one in found) else max((one for one in found if one is not None), default=None)
