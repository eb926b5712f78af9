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
