"""A verdict for a case that was not run: a size between the sizes run, a noise rate between the rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.analysis.column import Column
from bench.analysis.verdict.between import between, labels, part_of
from bench.analysis.verdict.costs import Prefer
from bench.analysis.verdict.decision import Verdict, decide
from bench.analysis.verdict.limits import Limits
from bench.errors import UsageError

BEYOND = 2.0
"""Times the largest size, or the part of the smallest: farther nothing is said."""


@dataclass(frozen=True)
class Recommendation:
    """verdict: for the case that was asked for; run: the sizes that it was reckoned from, one where that size was run;
    outside: whether the size lies outside of those run."""

    verdict: Verdict
    run: tuple[float, ...]
    outside: bool


@dataclass(frozen=True)
class Recommendations:
    """found: of each task, model and environment of which something can be said; cannot: of the others, why not."""

    found: list[Recommendation]
    cannot: list[str]


def recommend_each(
    columns: Sequence[Column], size: float, noise: float = 0.0, prefer: Prefer = "train-time",
    limits: Limits | None = None,
) -> Recommendations:  # fmt: skip
    """`recommend` for each task, model and environment. Raises UsageError where nothing can be said of any."""
    groups: dict[tuple[str, ...], list[Column]] = {}
    for one in columns:
        groups.setdefault((one.suite, one.task, one.model, one.environment), []).append(one)
    found, cannot = [], []
    for group in groups.values():
        try:
            found.append(recommend(group, size, noise, prefer, limits))
        except UsageError as error:
            cannot.append(str(error))
    if not found:
        raise UsageError("\n".join(cannot))
    return Recommendations(found, cannot)


def recommend(
    columns: Sequence[Column], size: float, noise: float = 0.0, prefer: Prefer = "train-time",
    limits: Limits | None = None,
) -> Recommendation:  # fmt: skip
    """The verdict at a number of labels. columns: of one task, model and environment.

    Between two sizes scores, example by example, and costs are interpolated along the logarithm of the size; up to
    twice the largest and down to half of the smallest size they are extrapolated from the two nearest, with the wider
    intervals that this brings. Raises UsageError where that is too far, where one size was run and another is asked
    for, and for a noise rate outside of those run.
    """
    known = sorted((one for one in _at_noise(columns, noise) if labels(one) > 0), key=labels)
    place = f"{columns[0].task} with {columns[0].model}"
    if not known:
        raise UsageError(f"{place}: no number of labels of what was run is known")
    sizes = [labels(one) for one in known]
    if size in sizes:
        return Recommendation(decide(known[sizes.index(size)], prefer, limits), (size,), False)
    told = ", ".join(f"{one:,.0f}" for one in sizes)
    if len(known) < 2:
        raise UsageError(f"{place}: {told} labels alone were run, which says nothing of {size:,.0f}; run a second size")
    if not sizes[0] / BEYOND <= size <= sizes[-1] * BEYOND:
        raise UsageError(
            f"{place}: {told} labels were run, which says nothing of {size:,.0f}: ask for {sizes[0] / BEYOND:,.0f} to "
            f"{sizes[-1] * BEYOND:,.0f}, or run a size nearer to it"
        )
    pairs = list(pairwise(range(len(sizes))))
    low, high = next(((a, b) for a, b in pairs if size < sizes[b]), pairs[-1])
    mixed = between(known[low], known[high], part_of(sizes[low], sizes[high], size), size=round(size))
    outside = not sizes[0] < size < sizes[-1]
    return Recommendation(decide(mixed, prefer, limits), (sizes[low], sizes[high]), outside)


def _at_noise(columns: Sequence[Column], noise: float) -> list[Column]:
    """The columns at a noise rate, between the two nearest rates where it was not run."""
    rates = sorted({one.noise for one in columns})
    if noise in rates:
        return [one for one in columns if one.noise == noise]
    around = next(((low, high) for low, high in pairwise(rates) if low < noise < high), None)
    if around is None:
        told = ", ".join(f"{rate:g}" for rate in rates)
        place = f"{columns[0].task} with {columns[0].model}"
        raise UsageError(f"{place}: noise {noise:g} lies outside of the rates that were run ({told})")
    low, high = ({one.size: one for one in columns if one.noise == rate} for rate in around)
    part = (noise - around[0]) / (around[1] - around[0])
    return [between(low[size], high[size], part, noise=noise) for size in low if size in high]
