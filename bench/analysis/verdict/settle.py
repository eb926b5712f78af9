"""How many seeds, or test examples, would settle whether a regime is enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from bench.analysis.column import Column, Difference, Floats
from bench.analysis.statistics import ENDLESS
from bench.analysis.verdict.adequate import Adequacy, upper

MOST_SEEDS = 100
MOST_EXAMPLES = 1_000_000
"""More than these are no plan: the lead is as close to the tolerance as can be told."""
POWER = 0.8
"""The probability with which the reckoned number is to be enough."""


@dataclass(frozen=True)
class Settling:
    """What would settle a column: `seeds` in all, or `examples` in all, or both together; None where that is no way.

    close: no number of either within reason does: the truth may lie on the tolerance itself.
    """

    seeds: int | None
    examples: int | None
    close: bool


def chance(lead: Difference, tolerance: float, level: float, seeds: Floats, examples: Floats) -> Floats:
    """The probability that a lead is shown to be below or above the tolerance with so many seeds and examples in all.

    The test needs |tol − δ| > t·SE with SE² = s̃²/S + σ_b²/N, which is S ≥ t² s̃² / ((tol − δ)² − t² σ_b²/N). δ is not
    known: what is run later moves it from δ̂, by a normal draw whose variance is what SE² falls by (Spiegelhalter et al.
    1986, predictive power). Taking δ̂ for δ instead asks for too few. t has the test's own degrees of freedom, with as
    many borrowed of the column as now. seeds, examples: arrays of one length.
    """
    of_seeds, of_examples = lead.seed_variance / seeds, lead.example_variance / examples
    now = lead.seed_variance / max(lead.seeds, 1) + lead.example_variance / max(lead.examples, 1)
    moves = np.sqrt(np.maximum(now - of_seeds - of_examples, 1e-300))
    of_df = seeds + (lead.seed_df - lead.seeds)
    spread = of_seeds**2 / np.maximum(of_df, 1) + of_examples**2 / np.maximum(examples - 1, 1)
    df = np.minimum((of_seeds + of_examples) ** 2 / np.maximum(spread, 1e-300), ENDLESS)
    needs = -stdtrit(np.maximum(df, 1), level) * np.sqrt(of_seeds + of_examples)
    gap = tolerance - lead.mean
    found: Floats = ndtr((gap - needs) / moves) + ndtr((-gap - needs) / moves)
    return found


def _first(chances: Floats, numbers: Floats) -> int | None:
    """The first number from which on the chance suffices."""
    enough = np.flatnonzero(chances >= POWER)
    return int(numbers[enough[0]]) if len(enough) else None


def seeds_needed(lead: Difference, tolerance: float, level: float) -> int | None:
    """The smallest number of seeds in all that settles one lead; None where no number does."""
    seeds = np.arange(max(lead.seeds, 1) + 1, MOST_SEEDS + 1, dtype=np.float64)
    return _first(chance(lead, tolerance, level, seeds, np.full_like(seeds, max(lead.examples, 1))), seeds)


def examples_needed(lead: Difference, tolerance: float, level: float) -> int | None:
    """The number of test examples in all that does with the seeds there are, to a twentieth; None where none does."""
    examples = np.ceil(np.geomspace(max(lead.examples, 1) * 1.05, 10 * MOST_EXAMPLES, 300))
    return _first(chance(lead, tolerance, level, np.full_like(examples, max(lead.seeds, 1)), examples), examples)


def _both(lead: Difference, tolerance: float, level: float) -> tuple[int, int] | None:
    """Seeds, and as many examples as bring the same variance."""
    seeds = np.arange(max(lead.seeds, 1) + 1, MOST_SEEDS + 1, dtype=np.float64)
    share = lead.example_variance / lead.seed_variance if lead.seed_variance > 0 else np.inf
    examples = np.minimum(np.maximum(np.ceil(share * seeds), max(lead.examples, 1)), 10.0 * MOST_EXAMPLES)
    found = _first(chance(lead, tolerance, level, seeds, examples), seeds)
    return None if found is None else (found, int(examples[seeds == found][0]))


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
    examples = _most(examples_needed(lead, tolerance, level) for lead in asked)
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
