"""The pydantic bases that plugins build their parameter schemas on. Imports nothing heavy."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_serializer, model_validator


class Strict(BaseModel):
    """Unknown keys are errors and values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def distinct_folders(names: Iterable[str]) -> None:
    """Names that become folders: short words that stay apart where files know no case. Raises ValueError."""
    seen: dict[str, str] = {}
    for name in names:
        if not re.fullmatch(r"\w[\w-]{0,63}", name):
            raise ValueError(f"{name[:80]!r} is no name of a split: up to 64 letters, digits, - and _")
        if (other := seen.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)) != name:
            raise ValueError(f"splits '{other}' and '{name}' differ in case alone; rename one")


class Bounds(NamedTuple):
    """What a search keeps to, and from where it goes out."""

    low: float
    high: float
    start: float


class Tuned(NamedTuple):
    """What a regime tunes: a parameter's name, and the bounds that its search keeps to, which hold no value that leaves
    a model as good as untrained. start: the default, from which it goes out; None: the bounds' geometric mean. kinds:
    other defaults, or other bounds with theirs, for kinds of models ("decoder", "convolutional", "image") and for an
    optimizer ("sgd"). within: each trial tunes itself by cross-validation, and needs no tuning trials."""

    parameter: str
    low: float
    high: float
    start: float | None = None
    kinds: Mapping[str, float | Bounds] = {}
    within: bool = False

    def bounds(self, kinds: Iterable[str] = ()) -> Bounds:
        """Those of the first of these kinds that has some of its own; its start is taken where nothing is tuned."""
        start = self.start if self.start is not None else float(f"{math.sqrt(self.low * self.high):.4g}")
        found = next((self.kinds[kind] for kind in kinds if kind in self.kinds), start)
        return found if isinstance(found, Bounds) else Bounds(self.low, self.high, found)


def _pair(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _rising(value: float | tuple[float, float]) -> float | tuple[float, float]:
    if isinstance(value, tuple) and value[0] >= value[1]:
        raise ValueError(f"the range's low end {value[0]:g} must be below its high end {value[1]:g}")
    return value


Positive = Annotated[float, Field(gt=0)]
Range = Annotated[Positive | tuple[Positive, Positive], BeforeValidator(_pair), AfterValidator(_rising)]
"""One fixed value, or `[low, high]`: the bounds of what tuning searches, from their geometric mean on."""


class Budget(Strict):
    """How long to train: exactly one of epochs, steps, seconds, flops or `until: converged`."""

    epochs: Annotated[float, Field(gt=0)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    flops: Annotated[float, Field(gt=0)] | None = None
    until: Literal["converged"] | None = None
    min_steps: Annotated[int, Field(ge=1)] = Field(
        default=100,
        description="with epochs: never fewer optimiser steps than this (short runs are otherwise under-trained)",
    )
    patience: Annotated[int, Field(ge=1)] = Field(
        default=3, description="until converged: validations without improvement"
    )
    max_epochs: Annotated[float, Field(gt=0)] = Field(
        default=100, description="until converged: stop here at the latest"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Budget:
        given = [u for u in ("epochs", "steps", "seconds", "flops", "until") if getattr(self, u) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of epochs, steps, seconds, flops, until; found {given or 'none'}")
        return self

    @property
    def unit(self) -> str:
        """The one unit that is set."""
        return next(u for u in ("epochs", "steps", "seconds", "flops", "until") if getattr(self, u) is not None)


BatchNormPolicy = Literal["auto", "frozen", "batch"]
Augmentation = Literal["none", "flip", "crop", "randaugment"]
"""How batch normalisation with pretrained statistics trains (`bench.training.normalising`)."""


class Training(Strict):
    """How every trained regime trains, unless the regime says otherwise."""

    batch_size: Annotated[int, Field(ge=1)] = Field(
        default=16, description="examples per optimiser step; never changes"
    )
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.1, description="fraction of the budget")
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    clip: Annotated[float, Field(gt=0)] | None = Field(default=1.0, description="gradient norm; null: no clipping")
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="bf16: autocast over fp32 master weights")
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="null: as the model's config says"
    )
    evaluation_batch_size: Annotated[int, Field(ge=1)] = 64
    batch_norm: BatchNormPolicy = Field(
        default="auto", description="pretrained statistics of batch normalisation: kept, or those of each batch"
    )
    optimizer: Literal["adamw", "sgd"] = Field(default="adamw", description="sgd: with momentum 0.9")
    augmentation: Augmentation = Field(default="none", description="how training images are varied at random")

    @model_serializer(mode="wrap")
    def _as_before(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Their defaults are not said: ids of trials are those of before there was a choice."""
        unsaid = {("batch_norm", "auto"), ("optimizer", "adamw"), ("augmentation", "none")}
        return {name: value for name, value in handler(self).items() if (name, value) not in unsaid}


class RegimeParameters(Strict):
    """What every regime takes."""

    @classmethod
    def problems(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What the fields alone do not tell is wrong with parameters: each a key and a sentence."""
        yield from ()


class TrainedParameters(RegimeParameters):
    """What every regime that trains by gradient takes: its learning rate, and overrides of budget and training."""

    learning_rate: Range | None = Field(
        default=None, description="one value, or [low, high] to tune within; null: the default"
    )
    epochs: Annotated[float, Field(gt=0)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_budget(self) -> TrainedParameters:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give epochs or steps, not both")
        return self


class SourceParameters(Strict):
    """What every source of models or data takes."""

    PLACES: ClassVar[frozenset[str]] = frozenset({"revision"})
    """Fields that, like paths, say where something lies: no part of a trial's id."""


class ModelParameters(SourceParameters):
    """What every model takes, wherever it comes from."""

    pooling: Literal["mean", "cls", "last", "pooler"] | None = Field(
        default=None, description="how token states become one vector, for every regime alike; null: by architecture"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="of the frozen weights in memory"
    )
    allow_missing: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="weights that the files may lack and that are random then: names, * for any part"
    )

    @model_serializer(mode="wrap")
    def _as_before(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Nothing allowed is not said: ids of trials are those of before anything could be."""
        return {name: value for name, value in handler(self).items() if value or name != "allow_missing"}


STRENGTHS = {
    "blur": (0, 64, "a standard deviation in pixels, above 0"),
    "gaussian-noise": (0, 1, "a standard deviation, of pixels from 0 to 1"),
    "jpeg": (1, 95, "a quality from 1 to 95"),
}
"""Kinds of noise of images: the least and the most of each, and what it is."""


def one_noise(value: dict[str, float]) -> dict[str, float]:
    """The same. Raises ValueError where it is not one kind of noise, within its strengths."""
    if len(value) != 1:
        raise ValueError("expected one kind of noise with its strength, such as {blur: 2}")
    ((kind, strength),) = value.items()
    if kind not in STRENGTHS:
        raise ValueError(f"no noise is called '{kind}'; known: none, {', '.join(STRENGTHS)}")
    low, high, meaning = STRENGTHS[kind]
    if isinstance(strength, bool) or not isinstance(strength, int | float):
        raise ValueError(f"{kind} takes {meaning}")
    if not low <= strength <= high or not strength or (kind == "jpeg" and strength != round(strength)):
        raise ValueError(f"{kind} takes {meaning}")
    return {kind: float(strength)}


InputNoise = Annotated[dict[str, float], AfterValidator(one_noise)]
"""{kind of noise: strength}, of images; see `bench.data.input_noise`."""


def noise_words(noise: InputNoise) -> str:
    """`blur 2`."""
    return " ".join(f"{kind} {strength:g}" for kind, strength in noise.items())


class TaskParameters(Strict):
    """What every task kind takes besides `kind`, `data`, `columns`, `splits` and the axes."""

    metrics: tuple[str, ...] = Field(default=(), description="the first is the one compared; empty: the kind's default")

    @classmethod
    def labelled(cls) -> bool:
        """Whether the task has labels: a field `labels`, which locking fills where the suite leaves it empty."""
        return "labels" in cls.model_fields

    def words(self) -> list[str]:
        """The labels' words, in class order; empty for a task without, and where the data must tell."""
        return []

    def own_templates(self) -> tuple[str, ...]:
        """The templates that the suite names for zero-shot; empty: the way's own."""
        return ()

    def own_label_map(self) -> Mapping[str, str]:
        """{label of the model's own head: label of the task}, where the suite says so."""
        return {}

    def most_tokens(self) -> int:
        """Tokens of an example that a model reads; 0 where the kind has no such limit."""
        return 0


class ImageTaskParameters(TaskParameters):
    """What every task on images takes."""

    input_noise: InputNoise | None = Field(
        None, description="of all of its images; the suite's axis `input_noise` sets it"
    )

    @model_serializer(mode="wrap")
    def _unspoilt(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """No noise is not said: ids of trials are those of before there was any."""
        return {name: value for name, value in handler(self).items() if value or name != "input_noise"}
