"""Spearman's rank correlation of targets and answers, ties at their mean rank; 0 where one side is all alike."""

from __future__ import annotations

import numpy as np

from bench.metrics.pearson import Pearson


class Spearman(Pearson):
    """Spearman's correlation, which is Pearson's of ranks."""

    def correlation(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """Of two sides neither of which is all alike."""
        from scipy.stats import spearmanr

        return float(spearmanr(targets, answers).statistic)

    def influence(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """As Pearson's of ranks, and how each example moves the ranks of the others (Croux & Dehon 2010)."""
        if np.ptp(targets) == 0 or np.ptp(answers) == 0:
            return np.zeros(len(targets))
        (_, u), (_, v) = sides = [_centred_ranks(side) for side in (targets, answers)]
        (a, _), (b, _) = sides
        covariance = u * v + _moves(a, v) + _moves(b, u)
        spreads = [own**2 + 2 * _moves(place, own) for place, own in sides]
        correlation = float((u * v).mean()) / np.sqrt(float((u**2).mean()) * float((v**2).mean()))
        widths = [float((own**2).mean()) for own in (u, v)]
        found: np.ndarray = covariance / np.sqrt(widths[0] * widths[1]) - correlation / 2 * (
            spreads[0] / widths[0] + spreads[1] / widths[1]
        )
        centred: np.ndarray = found - found.mean()
        return centred


def _centred_ranks(side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place of each value among the distinct ones, and its mid-rank as a part of all, centred."""
    _, place, counts = np.unique(side, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[place] / len(side)
    return place, ranks - ranks.mean()


def _moves(place: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For each example the mean weight of those above it, half of those beside it: how it lifts their ranks."""
    sums = np.bincount(place, weights)
    above = np.cumsum(sums[::-1])[::-1] - sums / 2
    found: np.ndarray = above[place] / len(place)
    return found
