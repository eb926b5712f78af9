"""Train every weight, starting from the pretrained ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contracts import Regime
from bench.suite.parameters import Bounds, TrainedParameters, Tuned

if TYPE_CHECKING:
    from bench.contracts import Adapted, Context
    from bench.probes.ledger import Ledger


class FullParameters(TrainedParameters):
    """No parameters of its own."""


class Full(Regime[FullParameters]):
    """Full fine-tuning."""

    VERSION = 1
    Parameters = FullParameters
    TUNED = Tuned(
        "learning_rate", 5e-6, 2e-3, start=5e-5,
        kinds={"sgd": Bounds(1e-4, 1.0, 1e-2), "decoder": 2e-5, "convolutional": Bounds(1e-5, 1e-2, 3e-4),
               "image": 1e-4},
    )  # fmt: skip
    TRAINS = True

    def adapt(self, context: Context, ledger: Ledger, parameters: FullParameters) -> Adapted:
        """Train everything."""
        from bench.training.adapted_model import trained
        from bench.training.build import build

        with ledger.stage("load"):
            model = build(context, pretrained=True)
        return trained(context, ledger, model)
