"""The contract of regimes."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar, Generic

from bench.contracts.plugin import P, Plugin
from bench.suite.parameters import Tuned
from bench.suite.trial import Json

if TYPE_CHECKING:
    from bench.contracts.context import Adapted, Context, Question
    from bench.modeling.models.facts import Facts
    from bench.probes.ledger import Ledger


class Regime(Plugin, Generic[P]):
    """One way to adapt a model. `Parameters`: a `RegimeParameters`."""

    Parameters: type[P]
    TUNED: ClassVar[Tuned | None] = None
    """What tuning searches; None where there is nothing to tune."""
    LABELS: ClassVar[bool] = True
    """Whether it learns from labels."""
    TRAINS: ClassVar[bool] = False
    """Whether it trains by gradient, and so has a budget."""
    POOLED: ClassVar[bool] = False
    """Whether it needs one feature vector an example."""
    PRETRAINED: ClassVar[bool] = True
    """Whether it starts from pretrained weights."""
    NEW_ALONE: ClassVar[bool] = False
    """Whether it trains nothing but what has no pretrained weights."""
    PROMPTS: ClassVar[bool] = False
    """Whether it fills the task's templates although it learns from labels."""
    CHECKS: ClassVar[bool] = False
    """Whether `check` has something to judge."""

    def resolve(self, facts: Facts, question: Question, parameters: P) -> Json:
        """What else the trial must hold. Raises NotApplicable; torch-free."""
        return {}

    def check(self, parameters: P) -> None:
        """Judge what only a heavy library can, before anything is trained. Raises UsageError."""

    @abc.abstractmethod
    def adapt(self, context: Context, ledger: Ledger, parameters: P) -> Adapted:
        """Make the model ready for its task, charging stages to the ledger."""
