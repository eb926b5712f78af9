"""Train only what has no pretrained weights, by gradient, on the frozen model: the "frozen" row of dense tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.contracts import Regime
from bench.errors import NotApplicable
from bench.suite.parameters import Bounds, TrainedParameters, Tuned

if TYPE_CHECKING:
    from bench.contracts import Adapted, Context
    from bench.probes.ledger import Ledger


class HeadParameters(TrainedParameters):
    """No parameters of its own."""


class Head(Regime[HeadParameters]):
    """Fine-tuning of the new head alone."""

    VERSION = 1
    Parameters = HeadParameters
    TUNED = Tuned("learning_rate", 1e-4, 1e-1, start=3e-3, kinds={"sgd": Bounds(1e-3, 10.0, 1e-1)})
    TRAINS = True
    NEW_ALONE = True

    def adapt(self, context: Context, ledger: Ledger, parameters: HeadParameters) -> Adapted:
        """Freeze all but what is new. Raises NotApplicable where nothing is."""
        from bench.training.adapted_model import trained
        from bench.training.build import build

        with ledger.stage("load"):
            model = build(context, pretrained=True, frozen=True)
        new = [parameter for part in context.objective.new(model) for parameter in part.parameters()]
        if not new:
            raise NotApplicable("the model answers by pretrained weights alone: there is no new head to train")
        model.requires_grad_(False)
        for parameter in new:
            parameter.requires_grad_(True)
        return replace(trained(context, ledger, model), backbone=None)
