"""Use the model as it is, without a label: its own head where that fits (as-is), else by prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bench.contracts import Adapted, Context, Question, Regime
from bench.modeling.inference import choose_way
from bench.suite.parameters import RegimeParameters
from bench.suite.trial import Json
from bench.training.untrained import untrained

if TYPE_CHECKING:
    from bench.modeling.models.facts import Facts
    from bench.probes.ledger import Ledger


class ZeroShotParameters(RegimeParameters):
    """How to answer."""

    way: str | None = Field(default=None, description="one of `bench list zeroshot`; null: the first the model can do")
    prior: bool = Field(default=False, description="likelihood: judge a label against its likelihood without the text")


class ZeroShot(Regime[ZeroShotParameters]):
    """Nothing is trained; every template answers, and the scores are means over templates."""

    VERSION = 1
    Parameters = ZeroShotParameters
    LABELS = False

    def resolve(self, facts: Facts, question: Question, parameters: ZeroShotParameters) -> Json:
        """The way this model answers. Raises NotApplicable where it has none."""
        return choose_way.resolve(facts, question, parameters.way)

    def adapt(self, context: Context, ledger: Ledger, parameters: ZeroShotParameters) -> Adapted:
        """Load the model as its way asks it."""
        return untrained(context, ledger)
