"""The contract of metrics."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

from bench.contracts.plugin import Plugin

if TYPE_CHECKING:
    import numpy as np


class Metric(Plugin):
    """Judges answers.

    | TAKES | targets | answers |
    |---|---|---|
    | "classes" | int64 [n] | log-probabilities, float [n, classes] |
    | "tags" | n lists of tag names (IOB2: O, B-X, I-X) | n lists of as many tag names |
    | "texts" | n lists of one or more references | n texts |
    | "label-sets" | 0 or 1, int8 [n, labels] | probabilities, float [n, labels]: a label is given from 0.5 on |
    | "values" | float64 [n] | float64 [n] |
    | "likelihoods" | None | float64 [n, 3]: negative log-likelihood in nats, tokens it is the sum of, UTF-8 bytes |
    | "masks" | labelled pixels of each class, int64 [n, classes] | confusion counts, int [n, classes, classes + 1]: \
pixels of a class (row) by the class they are given, the last column for none of the task's |

    Bytes are NaN where a masked model scored hidden tokens, which are no text. n is at least 1.
    """

    TAKES: ClassVar[str]
    HIGHER_IS_BETTER: ClassVar[bool] = True
    RANGE: ClassVar[tuple[float, float]]
    """The lowest and the highest score there can be, which may be infinite."""
    TOLERANCE: ClassVar[float | None] = None
    """The smallest difference of scores that matters, in the score's own unit; None: by `RANGE`
    (`bench.analysis.tolerance`)."""
    PER_EXAMPLE: ClassVar[bool] = False
    """Whether the score is the mean of `outcomes`."""

    @abc.abstractmethod
    def score(self, targets: Any, answers: Any) -> float:
        """One number over all examples."""

    def outcomes(self, targets: Any, answers: Any) -> np.ndarray:
        """Each example's own score, float32 [n]; of a metric that is `PER_EXAMPLE`."""
        raise NotImplementedError(f"{type(self).__name__} has no score of a single example")

    def influence(self, targets: Any, answers: Any) -> np.ndarray | None:
        """How much each example moves the score, float64 [n] with the mean 0: the score plus it are pseudo-values,
        whose variance over n is the score's. None: not known, and found by leaving out groups of examples."""
        return None

    def signature(self) -> str | None:
        """The library, version and settings that decide the value; None where the formula alone does."""
        return None

    def check(self) -> None:
        """Raise UsageError where something the metric needs is not at hand; called before anything is trained."""


class MeanMetric(Metric):
    """A metric that is the mean of each example's own score."""

    PER_EXAMPLE = True

    def score(self, targets: Any, answers: Any) -> float:
        """The mean of `outcomes`."""
        return float(self.outcomes(targets, answers).mean(dtype="float64"))

    @abc.abstractmethod
    def outcomes(self, targets: Any, answers: Any) -> np.ndarray:
        """Each example's own score, float32 [n]."""

    def influence(self, targets: Any, answers: Any) -> np.ndarray:
        """How far each outcome is from the mean, float64 [n]."""
        found: np.ndarray = self.outcomes(targets, answers).astype("float64")
        centred: np.ndarray = found - found.mean()
        return centred


class SumsMetric(Metric):
    """A metric that is a function of sums over examples, such as F1 of all entities or perplexity of a corpus."""

    @abc.abstractmethod
    def sums(self, targets: Any, answers: Any) -> np.ndarray:
        """What each example adds to the totals, float64 [n, k]."""

    @abc.abstractmethod
    def of(self, totals: np.ndarray) -> np.ndarray:
        """The scores of totals: float64 [..., k] → [...]. Totals of no example are possible, and of any subset."""

    def score(self, targets: Any, answers: Any) -> float:
        """`of` the totals of all examples."""
        return float(self.of(self.sums(targets, answers).sum(axis=0)))

    def influence(self, targets: Any, answers: Any) -> np.ndarray:
        """(n − 1) times what the score is without each example less than on the mean (the jackknife; Efron 1982)."""
        return self.influence_of(self.sums(targets, answers))

    def influence_of(self, sums: np.ndarray) -> np.ndarray:
        """The same from `sums`."""
        without = self.of(sums.sum(axis=0) - sums)
        found: np.ndarray = (len(sums) - 1) * (without.mean() - without)
        return found
