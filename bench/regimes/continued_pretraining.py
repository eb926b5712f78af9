"""Go on pretraining with the task's own text, its labels unseen, then train every weight on the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bench.contracts import Regime
from bench.errors import NotApplicable
from bench.suite.parameters import Bounds, Positive, TrainedParameters, Tuned

if TYPE_CHECKING:
    from bench.contracts import Adapted, Context, Question
    from bench.modeling.models.facts import Facts
    from bench.probes.ledger import Ledger
    from bench.suite.trial import Json


class ContinuedPretrainingParameters(TrainedParameters):
    """Those of `full`, for the labels; and of the pretraining before, which is not tuned."""

    pretraining_epochs: Positive = Field(1.0, description="over every text of the training split")
    pretraining_steps: Annotated[int, Field(ge=1)] | None = Field(None, description="instead of epochs")
    pretraining_learning_rate: Positive = Field(5e-5, description="of the pretraining alone")
    pretraining_batch_size: Annotated[int, Field(ge=1)] = Field(16, description="windows of text a step")
    mlm_probability: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.15, description="the fraction of tokens hidden from a masked language model"
    )


class ContinuedPretraining(Regime[ContinuedPretrainingParameters]):
    """Continued pretraining, then full fine-tuning."""

    VERSION = 1
    Parameters = ContinuedPretrainingParameters
    TUNED = Tuned("learning_rate", 5e-6, 2e-3, start=5e-5, kinds={"sgd": Bounds(1e-4, 1.0, 1e-2), "decoder": 2e-5})
    TRAINS = True

    def resolve(self, facts: Facts, question: Question, parameters: ContinuedPretrainingParameters) -> Json:
        """The objective by which pretraining goes on. Raises NotApplicable where there is none."""
        if question.modality != "text" or facts.modality != "text":
            raise NotApplicable("pretraining goes on with text alone, on models of text alone")
        if facts.head == "seq2seq-lm":
            raise NotApplicable("pretraining goes on with encoders and with decoders, not with encoder-decoders")
        return {"pretraining": "causal-lm" if facts.decoder else "masked-lm"}

    def adapt(self, context: Context, ledger: Ledger, parameters: ContinuedPretrainingParameters) -> Adapted:
        """Train everything, starting from weights that are computed once for all trials that share them."""
        from bench.training.adapted_model import trained
        from bench.training.build import build
        from bench.training.pretraining.continued import Settings, continued

        settings = Settings(
            objective=context.trial.regime["pretraining"],
            epochs=parameters.pretraining_epochs,
            steps=parameters.pretraining_steps,
            learning_rate=parameters.pretraining_learning_rate,
            batch_size=parameters.pretraining_batch_size,
            rate=parameters.mlm_probability,
        )
        context = context.starting_from(continued(context, ledger, settings))
        with ledger.stage("load"):
            model = build(context, pretrained=True)
        return trained(context, ledger, model)
