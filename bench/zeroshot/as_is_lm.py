"""The model reads a text as it is: for language modelling, where there is nothing to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.modeling.models.likelihood_models import refusal
from bench.training.untrained import AsBuilt

if TYPE_CHECKING:
    from bench.contracts import Question
    from bench.modeling.models.facts import Facts


class AsIsLm(AsBuilt):
    """The pretrained language model's likelihood of a text."""

    VERSION = 1
    OBJECTIVE = "likelihoods"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why the model does not tell how likely a text is."""
        return refusal(facts)
