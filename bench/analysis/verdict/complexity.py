"""How complex a task is: bits an example by prequential coding (Blier & Ollivier 2018; Voita & Titov 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, stdtrit

from bench.analysis.column import Floats


@dataclass(frozen=True)
class CodeLength:
    """What it takes to tell the labels of the largest budget by one regime, learning as it goes, in bits an example.

    bits, low, high: the mean over seeds with its 95 % interval, NaN with one seed; uniform: log₂ of the number of
    classes, what it takes without any model; labels: the largest size.
    """

    regime: str
    bits: float
    low: float
    high: float
    uniform: float
    labels: float
    seeds: int


def nll(log_probabilities: Floats, labels: NDArray[np.int64], temperature: float = 1.0) -> float:
    """The mean negative log-likelihood in bits an example, at a temperature. log_probabilities: [N, K]; labels: [N]."""
    scaled = log_probabilities / temperature
    own = scaled[np.arange(len(labels)), labels]
    return float((logsumexp(scaled, axis=1) - own).mean() / math.log(2))


def best_temperature(log_probabilities: Floats, labels: NDArray[np.int64]) -> float:
    """The temperature in [1/20, 20] of the least negative log-likelihood (Guo et al. 2017)."""
    clipped = np.maximum(log_probabilities, -100.0)
    found = minimize_scalar(
        lambda power: nll(clipped, labels, math.exp(power)), bounds=(-math.log(20), math.log(20)), method="bounded",
        options={"xatol": 1e-2},
    )  # fmt: skip
    return math.exp(float(found.x))


def scaled_nll(log_probabilities: Floats, labels: NDArray[np.int64]) -> float:
    """The same, where each half of the examples is scaled by the temperature that is best on the other half: records
    keep no validation answers to choose it on, and no example is scaled by a temperature it had a say in."""
    clipped = np.maximum(np.asarray(log_probabilities, dtype=np.float64), -100.0)
    even = np.arange(len(labels)) % 2 == 0
    if len(labels) < 20:
        return nll(clipped, labels)
    parts = [
        (nll(clipped[here], labels[here], best_temperature(clipped[~here], labels[~here])), int(here.sum()))
        for here in (even, ~even)
    ]
    return sum(bits * count for bits, count in parts) / len(labels)


def prequential(sizes: Sequence[float], losses: Sequence[float], classes: int) -> float:
    """(n₁ log₂ K + Σ (n_{i+1} − n_i) · NLL_i) / n_last, in bits an example: the first labels are sent as they are, each
    further block by the model that the labels before it trained.

    sizes: at least two, rising; losses: [sizes], in bits an example. The last size's loss codes nothing.
    """
    first, last = sizes[0], sizes[-1]
    blocks = sum((after - before) * loss for before, after, loss in zip(sizes, sizes[1:], losses, strict=False))
    return (first * math.log2(classes) + blocks) / last


def code_length(regime: str, sizes: Sequence[float], losses: Floats, classes: int) -> CodeLength | None:
    """Of one regime. losses: [S, sizes], in bits an example; None below two sizes."""
    if len(sizes) < 2 or not len(losses):
        return None
    each = np.array([prequential(sizes, row, classes) for row in losses])
    mean, half = float(each.mean()), math.nan
    if len(each) > 1:
        half = float(stdtrit(len(each) - 1, 0.975)) * float(each.std(ddof=1)) / math.sqrt(len(each))
    return CodeLength(regime, mean, mean - half, mean + half, math.log2(classes), float(sizes[-1]), len(each))
