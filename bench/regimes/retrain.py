"""Train the same architecture with the same tokenizer from random weights: what pretraining is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contracts import Regime
from bench.suite.parameters import Bounds, TrainedParameters, Tuned

if TYPE_CHECKING:
    from bench.contracts import Adapted, Context
    from bench.probes.ledger import Ledger


class RetrainParameters(TrainedParameters):
    """No parameters of its own; it usually wants more epochs than the others."""


class Retrain(Regime[RetrainParameters]):
    """Training from scratch."""

    VERSION = 1
    Parameters = RetrainParameters
    TUNED = Tuned("learning_rate", 5e-5, 2e-2, start=5e-4, kinds={"sgd": Bounds(1e-3, 1.0, 1e-1)})
    TRAINS = True
    PRETRAINED = False

    def adapt(self, context: Context, ledger: Ledger, parameters: RetrainParameters) -> Adapted:
        """Train everything, from random weights; the whole model has to be stored."""
        from bench.training.adapted_model import trained
        from bench.training.build import build

        with ledger.stage("load"):
            model = build(context, pretrained=False)
        return trained(context, ledger, model)
