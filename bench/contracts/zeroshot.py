"""The contract of ways of answering without training."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

from bench.contracts.plugin import Plugin
from bench.suite.trial import Json

if TYPE_CHECKING:
    from bench.contracts.context import Context, Predict, Question
    from bench.modeling.models.facts import Facts


class ZeroShotWay(Plugin):
    """A way of answering without training."""

    OBJECTIVE: ClassVar[str]
    """The objective whose answers it gives."""
    TEMPLATES: ClassVar[tuple[str, ...]] = ()
    """Asked where the task names none."""
    COLUMNS: ClassVar[tuple[str, ...]] = ()
    """Roles of columns that it needs and a task may lack."""
    FEW_SHOT: ClassVar[bool] = False
    """Whether it puts examples with their answers before what it asks."""

    @abc.abstractmethod
    def applies(self, facts: Facts, question: Question) -> str | None:
        """Why it does not suit the model and the task, or None; torch-free."""

    @abc.abstractmethod
    def load(self, context: Context) -> Any:
        """The model as this way asks it (a `Loaded`, the objective's own, or None where no model runs here)."""

    @abc.abstractmethod
    def predictor(self, context: Context, model: Any) -> Predict:
        """Answers parts by what `load` gave."""

    def asked(self, context: Context) -> Json:
        """What the model is asked with, for the record's facts: by default templates and labels."""
        templates = self.templates(context)
        return ({"templates": templates} if templates else {}) | ({"labels": context.labels} if context.labels else {})

    def templates(self, context: Context) -> list[str]:
        """The task's templates, or where it names none the way's own."""
        return list(context.parameters.own_templates() or self.TEMPLATES) if self.TEMPLATES else []
