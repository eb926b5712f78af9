"""The contract of objectives."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bench.contracts.plugin import Plugin

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from bench.contracts.context import Baseline, Context, Part, Predictions, Solved
    from bench.modeling.models.facts import Facts
    from bench.training.loss import Goal


class Objective(Plugin):
    """What a model is trained to answer, and how its answers are read."""

    ANSWERS: ClassVar[str]
    """The form of its answers, as in `Metric.TAKES`."""
    TARGETS: ClassVar[Literal["classes", "rows"]] = "rows"
    """"rows": a part's labels say which row's target an example has."""
    POOLED: ClassVar[bool] = False
    """Whether it answers from one pooled feature vector an example, which a linear probe needs."""
    NOISE: ClassVar[bool] = False
    """Whether targets can be made wrong."""
    FLOOR: ClassVar[float] = float("-inf")
    """The lowest log-probability that is kept; of objectives whose answers are classes."""

    def applies(self, facts: Facts) -> str | None:
        """Why a model cannot be trained for it; None where it can, as every model with features to pool."""
        return None

    @abc.abstractmethod
    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Any:
        """A new model; its `backbone` is what regimes freeze or wrap. frozen: the pretrained weights will not train."""

    @abc.abstractmethod
    def blocks(self, model: Any) -> Any:
        """The stack of blocks that `partial` freezes from below, or None."""

    def new(self, model: Any) -> list[nn.Module]:
        """The parts of the model that have no pretrained weights: all beside its backbone."""
        return [part for name, part in model.named_children() if name != "backbone"]

    @abc.abstractmethod
    def goal(self, context: Context, part: Part) -> Goal:
        """What training minimises."""

    @abc.abstractmethod
    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """The answers of a trained model."""

    @abc.abstractmethod
    def targets(self, context: Context, part: Part) -> Any:
        """What answers are judged by, [n]."""

    @abc.abstractmethod
    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """{name: gives answers that take no pretrained model}."""

    @abc.abstractmethod
    def lost(self, answers: Any) -> np.ndarray:
        """Which examples have no answer at all (not finite numbers), bool [n]."""

    @abc.abstractmethod
    def constant(self, answers: Any) -> bool:
        """Whether several examples all got the same answer."""

    @abc.abstractmethod
    def doubt(self, targets: Any, answers: Any) -> float:
        """How unsure of what is right the answers are, kept beside the validation score: lower is better."""

    @abc.abstractmethod
    def columns(self, targets: Any, answers: Any) -> dict[str, Any]:
        """What predictions.parquet keeps, each [templates × n]."""

    def example_to_time(self, context: Context, part: Part) -> Part:
        """The part of one example whose latency is measured."""
        return part.first()

    def in_words(self, context: Context, source: Any, target: Any) -> str:
        """An example's target as it stands in a prompt. source: its input."""
        return target if isinstance(target, str) else str(target[0])

    def solve(self, context: Context, part: Part, features: Any, C: float, iterations: int) -> Solved:
        """A linear model fitted to a part's features [n, width], dense or sparse; of an objective that is `POOLED`.
        C: the inverse strength of its L2 penalty."""
        raise NotImplementedError(f"{type(self).__name__} has no linear model")
