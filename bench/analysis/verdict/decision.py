"""The verdict of a column: the cheapest regime that is enough, or undecided with what is out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.analysis.column import Column
from bench.analysis.verdict.adequate import Adequacy, adequate
from bench.analysis.verdict.confidence import Confidence, confidences
from bench.analysis.verdict.costs import Prefer, by_cost, costs
from bench.analysis.verdict.limits import Limits, within
from bench.analysis.verdict.settle import Settling, settle


@dataclass(frozen=True)
class Verdict:
    """What one column says.

    column: without what is over the limits; chosen: the cheapest candidate that is shown to be enough, None while that
    is undecided; guess: the best choice as things stand, which is the chosen one where there is one; adequate, open,
    out: names, the cheapest first; over: {name: why it is over the user's limits}; why: why nothing can be said at all,
    empty where something can; settling: what would settle whether the guess is enough.
    """

    column: Column
    adequacy: Adequacy
    prefer: Prefer
    chosen: str | None
    guess: str | None
    adequate: tuple[str, ...]
    open: tuple[str, ...]
    out: tuple[str, ...]
    over: dict[str, str]
    why: str
    confidence: dict[str, Confidence]
    cost: dict[str, float]
    settling: Settling | None

    @property
    def decided(self) -> bool:
        """Whether a regime is named."""
        return self.chosen is not None

    @property
    def right(self) -> float:
        """The probability that the guess is within the tolerance of the best."""
        return self.confidence[self.guess].right if self.guess in self.confidence else math.nan

    @property
    def regret(self) -> float:
        """By how much it is worse than the best where it is not, in the metric's unit."""
        return self.confidence[self.guess].regret if self.guess in self.confidence else math.nan


def _nothing(column: Column, adequacy: Adequacy, over: dict[str, str]) -> str:
    """Why a column says nothing, where it does not."""
    regimes = [one for one in column.candidates if one.kind != "baseline"]
    if not column.candidates:
        return "nothing is within the limits" if over else "nothing has a score yet"
    if not regimes:
        return "no regime has a score within the limits" if over else "no regime has a score yet"
    if len(column.candidates) == 1 and not over:
        return "there is nothing to compare with: one regime has a score"
    single = [one for one in regimes if one.labelled and len(one.seeds) < 2]
    if single and len(single) == len([one for one in regimes if one.labelled]):
        return "one seed says nothing about the luck of the draw of labels; run at least two"
    if len(column.candidates) > 1 and not any(adequacy.leads.values()):
        return "no two candidates have seeds and test examples in common"
    return ""


def decide(
    column: Column, prefer: Prefer = "train-time", limits: Limits | None = None, *, chances: bool = True
) -> Verdict:
    """The verdict under what the user prefers to save, within the limits. chances: with probabilities, and with what
    would settle it."""
    column, over = within(column, limits or Limits())
    adequacy = adequate(column)
    order = by_cost(column, prefer)
    why = _nothing(column, adequacy, over)
    named = {s: tuple(n for n in order if adequacy.standing[n] == s) for s in ("adequate", "open", "out")}
    chosen = named["adequate"][0] if named["adequate"] and not why else None
    guess = chosen or _guess(column, adequacy, order)
    return Verdict(
        column=column,
        adequacy=adequacy,
        prefer=prefer,
        chosen=chosen,
        guess=guess,
        adequate=named["adequate"],
        open=named["open"],
        out=named["out"],
        over=over,
        why=why,
        confidence=confidences(column) if chances and not why else {},
        cost=costs(column, prefer),
        settling=settle(column, adequacy, guess) if chances and guess and not chosen and not why else None,
    )


def _guess(column: Column, adequacy: Adequacy, order: list[str]) -> str | None:
    """The cheapest that looks enough by its mean; where none does, the best mean."""
    means = {one.name: float(one.scores.mean()) for one in column.candidates if len(one.scores)}
    if not means:
        return None
    sign = -1 if column.lower_is_better else 1
    best = max(sign * mean for mean in means.values())
    near = [
        n for n in order if n in means and adequacy.standing[n] != "out" and best - sign * means[n] < column.tolerance
    ]
    return near[0] if near else max(means, key=lambda name: sign * means[name])
