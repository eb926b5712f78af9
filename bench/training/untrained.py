"""What every regime that trains nothing does, and a base class for models that are built as for training.

Imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import plugins
from bench.contracts import Adapted, Context, Part, Predict, Predictions, Prepared, ZeroShotWay
from bench.suite.trial import Json

if TYPE_CHECKING:
    from bench.probes.ledger import Ledger


def untrained(context: Context, ledger: Ledger) -> Adapted:
    """The pretrained model as the trial's way of zero-shot asks it."""
    name = context.trial.regime["way"]
    way = plugins.load("zeroshot", name)
    with ledger.stage("load"):
        model = way.load(context)
    predict: Predict = way.predictor(context, model)
    facts: Json = {"method": name, **way.asked(context)}
    if context.few_shot:
        facts["shots"] = len(context.few_shot)
    if model is None:
        return Adapted(predict, trainable=None, total=None, stored_bytes=None, facts=facts)
    from bench.modeling.inference.zero_shot import Loaded

    module = model.model if isinstance(model, Loaded) else model
    total = sum(weights.numel() for weights in module.parameters())
    return Adapted(predict, trainable=0, total=total, stored_bytes=0, facts=facts)


class AsBuilt(ZeroShotWay):
    """The model as its objective builds it for training, with its pretrained weights."""

    def load(self, context: Context) -> Any:
        """The objective's own model."""
        from bench.training.build import build

        return build(context, pretrained=True, frozen=True).eval()

    def predictor(self, context: Context, model: Any) -> Predict:
        """As the objective answers."""

        def predict(part: Part, prepared: Prepared | None = None) -> Predictions:
            return context.objective.answer(context, model, part)

        return predict
