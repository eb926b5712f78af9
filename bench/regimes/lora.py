"""Train a PEFT adapter on the frozen model, and the head in full: LoRA, DoRA, rsLoRA, IA³ or any other of PEFT's."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from bench.contracts import Regime
from bench.errors import NotApplicable, UsageError, did_you_mean
from bench.modeling.models import peft_parameters
from bench.suite.messages import show
from bench.suite.parameters import Bounds, TrainedParameters, Tuned

if TYPE_CHECKING:
    from bench.contracts import Adapted, Context, Question
    from bench.modeling.models.facts import Facts
    from bench.probes.ledger import Ledger
    from bench.suite.trial import Json

ALL = "all-linear"
CONVOLUTIONS = "linear layers and ungrouped convolutions"
MEANT = {
    "rank": "r", "alpha": "lora_alpha", "dropout": "lora_dropout", "lr": "learning_rate", "modules": "target_modules",
    "dora": "use_dora", "rslora": "use_rslora",
}  # fmt: skip
"""What people call parameters that have another name in PEFT, too far from it to be found by its letters."""
PLAIN = {
    "int": ("a number", (int, float)), "float": ("a number", (int, float)), "bool": ("true or false", (bool,)),
}  # fmt: skip
"""Types of PEFT's parameters that it does not look at itself: one of the wrong type would fail in training."""


class LoraParameters(TrainedParameters):
    """config: PEFT's configuration class; every key not named here is that class's own (r, use_dora, …)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    config: str = Field("LoraConfig", description="a configuration class of PEFT, such as IA3Config")
    target_modules: Any = Field(
        ALL, description="as PEFT takes it; of a convolutional network its ungrouped convolutions too"
    )

    @classmethod
    def problems(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Keys and values that PEFT would not take, found without importing it; nothing where it is not installed."""
        config, known = given.get("config", cls.model_fields["config"].default), peft_parameters.known()
        if not known or not isinstance(config, str):
            return
        if config not in known:
            yield "config", f"PEFT has no configuration '{config}'{did_you_mean(config, known)}"
            return
        taken = peft_parameters.parameters(config)
        for key, value in given.items():
            if key in cls.model_fields:
                continue
            if key not in taken:
                near = f"; did you mean '{MEANT[key]}'?" if MEANT.get(key) in {*taken, *cls.model_fields} else ""
                yield (
                    key,
                    f"PEFT's {config} has no such parameter{near or did_you_mean(key, {*taken, *cls.model_fields})}",
                )
            elif taken[key] in PLAIN and type(value) not in PLAIN[taken[key]][1]:
                yield key, f"expected {PLAIN[taken[key]][0]}, found {show(value)}"


class Lora(Regime[LoraParameters]):
    """A PEFT adapter on the frozen model."""

    VERSION = 1
    Parameters = LoraParameters
    TUNED = Tuned(
        "learning_rate", 1e-4, 3e-2, start=1e-3,
        kinds={"sgd": Bounds(1e-3, 1.0, 1e-1), "decoder": 5e-4, "convolutional": Bounds(1e-4, 1e-1, 3e-3)},
    )  # fmt: skip
    TRAINS = True
    CHECKS = True

    def resolve(self, facts: Facts, question: Question, parameters: LoraParameters) -> Json:
        """What an adapter covers of a convolutional network."""
        return {"layers": CONVOLUTIONS} if facts.convolutional and parameters.target_modules == ALL else {}

    def check(self, parameters: LoraParameters) -> None:
        """Build the configuration. Raises UsageError naming the key that PEFT does not know."""
        import peft

        kind = getattr(peft, parameters.config, None)
        if not (isinstance(kind, type) and issubclass(kind, peft.PeftConfig) and dataclasses.is_dataclass(kind)):
            known = [name for name in dir(peft) if name.endswith("Config")]
            raise UsageError(f"PEFT has no configuration '{parameters.config}'{did_you_mean(parameters.config, known)}")
        fields = {field.name for field in dataclasses.fields(kind)}
        for key in _own(parameters):
            if key not in fields:
                raise UsageError(f"PEFT's {parameters.config} has no parameter '{key}'{did_you_mean(key, fields)}")
        try:
            kind(**_own(parameters))
        except (TypeError, ValueError) as error:
            raise UsageError(f"PEFT's {parameters.config} refuses these parameters: {error}") from error

    def adapt(self, context: Context, ledger: Ledger, parameters: LoraParameters) -> Adapted:
        """Wrap the backbone by PEFT, which freezes it; the head outside it trains in full."""
        import peft

        from bench.modeling.models import adapter
        from bench.private_api import linear_kinds
        from bench.training.adapted_model import trained
        from bench.training.build import build

        with ledger.stage("load"):
            model = build(context, pretrained=True, frozen=True)
        own = _own(parameters)
        linear = any(isinstance(module, linear_kinds()) for module in model.backbone.modules())
        if own["target_modules"] == ALL and (context.facts.convolutional or not linear):
            own["target_modules"] = adapter.layers(model.backbone)
            if left := adapter.grouped(model.backbone):
                ledger.note([f"{left} grouped convolutions have no adapter and stay as they are"])
            if own.get("use_dora") and (dead := adapter.dead(model.backbone, own["target_modules"])):
                own["target_modules"] = [name for name in own["target_modules"] if name not in dead]
                ledger.note([f"{len(dead)} layers with filters of zeros have no adapter: DoRA divides by their norms"])
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "fan_in_fan_out is set to False")  # PEFT sets it right by itself
                model.backbone = peft.get_peft_model(model.backbone, getattr(peft, parameters.config)(**own))
        except ValueError as error:
            raise NotApplicable(f"PEFT cannot adapt this model: {error}") from error
        adapter.complete(model.backbone)
        return trained(context, ledger, model.to(context.device))


def _own(parameters: LoraParameters) -> dict[str, Any]:
    """What goes to PEFT's configuration."""
    return {"target_modules": parameters.target_modules, **(parameters.model_extra or {})}
