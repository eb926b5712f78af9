"""Contracts: one base class for each folder of plugins, and what passes between a plugin and a trial.

A file in a plugin folder holds one class that derives from the folder's base class here; its stem, with dashes, is the
name used in YAML. What every plugin must have is abstract; what some have is an attribute or a method with a default.
Nothing here imports torch: the types of models and arrays are named for the type checker alone.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from bench.suite.parameters import Training, Tuned
from bench.suite.trial import Json, Trial

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import DatasetDict
    from torch import nn

    from bench.data.column_kinds import Fit, Table
    from bench.data.examples import Examples
    from bench.modeling.models.facts import Facts
    from bench.probes.ledger import Ledger
    from bench.report.section import Section
    from bench.training.checkpoint import Checkpoint
    from bench.training.loss import Goal
    from bench.training.state import Fit as TrainingFit

P = TypeVar("P", bound=BaseModel)
Modality = Literal["text", "image"]
Baseline = Callable[[], Any]
"""Gives answers [1][n] that take no model; None where there are none."""
Tick = Callable[[str, int, int | None], None]
"""Told of progress: (stage, done, total)."""
Prepared = dict[Any, Any]
"""What is ready before a model runs (tokens, pixels, labels' embeddings), kept while one answer is timed repeatedly."""


class Solved(NamedTuple):
    """A linear model fitted to features. answers: features [n, width] → answers [1][n]; notes: remarks on the fit."""

    answers: Callable[[Any], Any]
    notes: list[str]


@dataclass(frozen=True)
class Part:
    """Some examples of one split. indices: int64 [n] into the split. labels: int64 [n], their classes, or where the
    task has none the rows of the split whose targets they have; `wrong` of them noisy, where the trial says so."""

    split: str
    indices: np.ndarray
    labels: np.ndarray
    wrong: int = 0

    def first(self, row: int = 0) -> Part:
        """The part of one example."""
        return Part(self.split, self.indices[row : row + 1], self.labels[row : row + 1])


@dataclass(frozen=True)
class Predictions:
    """What a model answered to a part.

    answers: [templates][n], in the form of the task's objective. generated_tokens: how many the model generated;
    decoding: with which settings. notes: remarks. costs, facts: for the record, beside or instead of what is measured.
    """

    answers: Any
    generated_tokens: int = 0
    decoding: Json = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    costs: Json = field(default_factory=dict)
    facts: Json = field(default_factory=dict)


class Predict(Protocol):
    """Answers a part. prepared: given while the time of one answer is taken; what does not depend on the model's run
    is kept there from one call to the next, and only the first template is asked."""

    def __call__(self, part: Part, prepared: Prepared | None = None) -> Predictions: ...


@dataclass(frozen=True)
class Adapted:
    """A model made ready for its task by a regime.

    trainable, total: numbers of parameters; stored_bytes: what must be kept beside the pretrained model; None where
    nobody here can know. backbone: what training changed; None where it changed nothing but a head. model: the whole
    of it, head and all, where it was trained by gradient. fit: what training measured. latency: seconds of one answer
    where they are known already (of cached features). notes: remarks; facts: for the record.
    """

    predict: Predict
    trainable: int | None
    total: int | None
    stored_bytes: int | None
    backbone: nn.Module | None = None
    model: nn.Module | None = None
    fit: TrainingFit | None = None
    latency: float | None = None
    notes: tuple[str, ...] = ()
    facts: Json = field(default_factory=dict)


class Features(Protocol):
    """What is computed once: for a trial, or for all trials that share it.

    backbone_parameters, latency: of the frozen backbone, once `frozen` was asked: how many parameters it has, and
    seconds for the features of one example (None where they could not be measured).
    """

    backbone_parameters: int
    latency: float | None

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        ...

    def encoded(self, split: str) -> Any:
        """A split as the model takes it, few-shot examples before each: what the task kind's `load` gives."""
        ...

    def frozen(self, split: str) -> np.ndarray:
        """The frozen backbone's pooled features of a whole split, float32 [n, width]."""
        ...

    def seconds(self, part: Part) -> float:
        """The part's share of computing the frozen features it used; 0.0 where it used none."""
        ...

    def truncation(self) -> list[str]:
        """A remark where the training texts that were encoded had to be cut."""
        ...

    def with_few_shot(self, examples: tuple[tuple[Any, str], ...]) -> Features:
        """Those of a trial with examples (input, answer in words) in its prompts."""
        ...

    def starting_from(self, start: Path) -> Features:
        """Those of a trial that starts from other weights (`Context.start`)."""
        ...


class TaskExamples(Protocol):
    """A task's data, opened when first asked for."""

    rows: dict[str, np.ndarray]

    def examples(self, split: str) -> Examples:
        """A split's inputs, labels and targets."""
        ...


@dataclass(frozen=True)
class Context:
    """What a trial is, and what its plugins work on.

    facts: what the model's config files say. folder: the model's files. task, objective, parameters: the task kind,
    what its models are trained to answer, and its parameters. labels: the classes' words, empty where the task has
    none; majority: the training pool's most frequent class. parts: `train` and `validation` (both empty for zero-shot),
    `test`, and one for each also_test set. environment: its id. micro_batch: examples at a time in training;
    evaluation_batch: elsewhere. features: what is computed once. autocast: the trial's precision. few_shot: (input,
    answer in words), to stand in a prompt. start: a folder of the cache with weights
    (`bench.training.starting_weights`) to start from instead of the pretrained ones. checkpoint: from which training
    that was cut short goes on. intact: raises ModelError where the model's files are no longer what was locked; called
    after they are read, and before what was made of them is kept.
    """

    trial: Trial
    facts: Facts
    folder: Path
    device: torch.device
    task: TaskKind[Any]
    objective: Objective
    parameters: Any
    labels: list[str]
    majority: int
    data: TaskExamples
    parts: dict[str, Part]
    environment: str
    micro_batch: int
    evaluation_batch: int
    features: Features
    autocast: Callable[[], AbstractContextManager[Any]]
    tick: Tick = lambda stage, done, total: None
    few_shot: tuple[tuple[Any, str], ...] = ()
    start: Path | None = None
    checkpoint: Checkpoint | None = None
    intact: Callable[[], None] = lambda: None

    @property
    def pooling(self) -> str:
        """The one pooling that all regimes on this backbone share."""
        return self.trial.model["parameters"].get("pooling") or self.facts.default_pooling()

    @functools.cached_property
    def training(self) -> Training:
        """The trial's training settings."""
        return Training.model_validate(self.trial.training or {})

    def examples(self, split: str) -> Examples:
        """A split's inputs, labels and targets."""
        return self.data.examples(split)

    def inputs(self, part: Part) -> list[Any]:
        """A part's inputs, in its order."""
        inputs = self.examples(part.split).inputs
        return [inputs[row] for row in part.indices.tolist()]

    def progress(self, stage: str) -> Callable[[int, int | None], None]:
        """Tells of the progress of a stage: (done, total)."""
        return lambda done, total: self.tick(stage, done, total)

    def replace(self, **changes: Any) -> Context:
        """The same with other values."""
        return dataclasses.replace(self, **changes)


class Plugin(abc.ABC):
    """What every plugin has."""

    VERSION: ClassVar[int]
    """Enters the ids of trials: raised whenever the plugin's results change."""


class Metric(Plugin):
    """Judges answers.

    | TAKES | targets | answers |
    |---|---|---|
    | "classes" | int64 [n] | log-probabilities, float [n, classes] |
    | "tags" | n lists of tag names (IOB2: O, B-X, I-X) | n lists of as many tag names |
    | "texts" | n lists of one or more references | n texts |
    | "label-sets" | 0 or 1, int8 [n, labels] | probabilities, float [n, labels]: a label is given from 0.5 on |
    | "values" | float64 [n] | float64 [n] |
    | "likelihoods" | None | float64 [n, 3]: negative log-likelihood in nats, tokens it is the sum of, UTF-8 bytes |

    Bytes are NaN where a masked model scored hidden tokens, which are no text. n is at least 1.
    """

    TAKES: ClassVar[str]
    HIGHER_IS_BETTER: ClassVar[bool] = True
    RANGE: ClassVar[tuple[float, float]]
    """The lowest and the highest score there can be, which may be infinite."""
    PER_EXAMPLE: ClassVar[bool] = False
    """Whether the score is the mean of `outcomes`."""

    @abc.abstractmethod
    def score(self, targets: Any, answers: Any) -> float:
        """One number over all examples."""

    def outcomes(self, targets: Any, answers: Any) -> np.ndarray:
        """Each example's own score, float32 [n]; of a metric that is `PER_EXAMPLE`."""
        raise NotImplementedError(f"{type(self).__name__} has no score of a single example")

    def signature(self) -> str | None:
        """The library, version and settings that decide the value; None where the formula alone does."""
        return None

    def check(self) -> None:
        """Raise UsageError where something the metric needs is not at hand; called before anything is trained."""


class MeanMetric(Metric):
    """A metric that is the mean of each example's own score."""

    PER_EXAMPLE = True

    def score(self, targets: Any, answers: Any) -> float:
        """The mean of `outcomes`."""
        return float(self.outcomes(targets, answers).mean(dtype="float64"))

    @abc.abstractmethod
    def outcomes(self, targets: Any, answers: Any) -> np.ndarray:
        """Each example's own score, float32 [n]."""


class ModelSource(Plugin, Generic[P]):
    """Where models come from. `Parameters`: a `ModelParameters` with a field of the source's own name."""

    Parameters: type[P]
    LOCAL: ClassVar[bool] = True
    """Whether its models run here, and not behind an endpoint."""

    @abc.abstractmethod
    def lock(self, parameters: P) -> Json:
        """{"fingerprint", "files": the small config files, …} of what the parameters name now. Raises ModelError."""

    @abc.abstractmethod
    def fetch(self, parameters: P, fingerprint: str) -> Path:
        """The local folder of exactly what was locked. Raises ModelError."""

    def fingerprint(self, parameters: P) -> str | None:
        """The fingerprint of what lies there now; None where that is not cheaply told."""
        return None


class DataSource(Plugin, Generic[P]):
    """Where data come from. `Parameters`: a `SourceParameters` with a field of the source's own name."""

    Parameters: type[P]

    @abc.abstractmethod
    def lock(self, parameters: P) -> Json:
        """{"fingerprint", "remarks" where there are some} of what the parameters name now. Raises DataError."""

    @abc.abstractmethod
    def fetch(self, parameters: P, fingerprint: str) -> DatasetDict:
        """The splits of exactly what was locked. Raises DataError."""

    def fingerprint(self, parameters: P) -> str | None:
        """The fingerprint of what lies there now; None where that is not cheaply told."""
        return None

    def places(self, parameters: P, split: str, rows: Sequence[int]) -> str | None:
        """Where rows of a split stand in their file, as `data.csv:3, 5`; None where rows have no such place."""
        return None


class TaskKind(Plugin, Generic[P]):
    """What a task's examples are, how a model takes them, and what is compared. `Parameters`: a `TaskParameters`."""

    Parameters: type[P]
    MODALITY: ClassVar[Modality]
    OBJECTIVE: ClassVar[str]
    """What its models are trained to answer: the name of an objective."""
    METRIC: ClassVar[str]
    """The metric that is compared where the suite names none."""
    COLUMNS: ClassVar[Mapping[str, bool]]
    """{role of a column: whether it is required}."""
    INSTEAD: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """{role: the roles that may stand in its place}."""
    SEVERAL: ClassVar[tuple[str, ...]] = ()
    """Roles that several columns may play, their names separated by commas."""
    BASELINE: ClassVar[str] = ""
    """What `baseline` is called; of kinds whose answers are texts."""
    SYSTEM: ClassVar[str] = ""
    """What a model behind an endpoint is told; of kinds whose answers are texts."""

    @abc.abstractmethod
    def examples(self, dataset: Any, columns: Mapping[str, str], parameters: P, place: str) -> Examples:
        """A split's labelled examples. place: names the data in messages. Raises DataError."""

    def test_examples(self, dataset: Any, columns: Mapping[str, str], parameters: P, place: str) -> Examples:
        """Those of a split that answers are only compared with, which may need less."""
        return self.examples(dataset, columns, parameters, place)

    @abc.abstractmethod
    def encode(self, folder: Path, examples: Examples, parameters: P, target: Path) -> None:
        """Write examples into `target` as the model in `folder` takes them."""

    @abc.abstractmethod
    def load(self, folder: Path) -> Any:
        """What `encode` wrote."""

    def refuses(self, facts: Facts, parameters: P) -> str | None:
        """Why a model cannot do what the parameters ask, or None."""
        return None

    def label_words(self, dataset: Any, columns: Mapping[str, str], parameters: P, place: str) -> Any:
        """The labels that the data themselves name; None for a kind without labels. Raises DataError."""
        return None

    def recognise(self, table: Table) -> Fit | None:
        """How `bench init` would make this kind of task of a data set; None where it would not."""
        return None

    def baseline(self, source: Any) -> str:
        """An answer that takes no model; of kinds whose answers are texts."""
        raise NotImplementedError(f"{type(self).__name__} has no baseline")


class Objective(Plugin):
    """What a model is trained to answer, and how its answers are read."""

    ANSWERS: ClassVar[str]
    """The form of its answers, as in `Metric.TAKES`."""
    TARGETS: ClassVar[Literal["classes", "rows"]] = "rows"
    """"rows": a part's labels say which row's target an example has."""
    POOLED: ClassVar[bool] = False
    """Whether it answers from one pooled feature vector an example, which a linear probe needs."""
    NOISE: ClassVar[bool] = False
    """Whether targets can be made wrong."""
    FLOOR: ClassVar[float] = float("-inf")
    """The lowest log-probability that is kept; of objectives whose answers are classes."""

    def applies(self, facts: Facts) -> str | None:
        """Why a model cannot be trained for it; None where it can, as every model with features to pool."""
        return None

    @abc.abstractmethod
    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Any:
        """A new model; its `backbone` is what regimes freeze or wrap. frozen: the pretrained weights will not train."""

    @abc.abstractmethod
    def blocks(self, model: Any) -> Any:
        """The stack of blocks that `partial` freezes from below, or None."""

    @abc.abstractmethod
    def goal(self, context: Context, part: Part) -> Goal:
        """What training minimises."""

    @abc.abstractmethod
    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """The answers of a trained model."""

    @abc.abstractmethod
    def targets(self, context: Context, part: Part) -> Any:
        """What answers are judged by, [n]."""

    @abc.abstractmethod
    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """{name: gives answers that take no pretrained model}."""

    @abc.abstractmethod
    def lost(self, answers: Any) -> np.ndarray:
        """Which examples have no answer at all (not finite numbers), bool [n]."""

    @abc.abstractmethod
    def constant(self, answers: Any) -> bool:
        """Whether several examples all got the same answer."""

    @abc.abstractmethod
    def doubt(self, targets: Any, answers: Any) -> float:
        """A number to break ties of tuning by: of equal scores the lowest wins."""

    @abc.abstractmethod
    def columns(self, targets: Any, answers: Any) -> dict[str, Any]:
        """What predictions.parquet keeps, each [templates × n]."""

    def example_to_time(self, context: Context, part: Part) -> Part:
        """The part of one example whose latency is measured."""
        return part.first()

    def in_words(self, context: Context, source: Any, target: Any) -> str:
        """An example's target as it stands in a prompt. source: its input."""
        return target if isinstance(target, str) else str(target[0])

    def solve(self, context: Context, part: Part, features: Any, C: float, iterations: int) -> Solved:
        """A linear model fitted to a part's features [n, width], dense or sparse; of an objective that is `POOLED`.
        C: the inverse strength of its L2 penalty."""
        raise NotImplementedError(f"{type(self).__name__} has no linear model")


class Question(NamedTuple):
    """What a task asks of a model, as far as planning needs to know. columns: the roles of the task's columns."""

    modality: Modality
    labels: list[str]
    label_map: Mapping[str, str]
    objective: str
    columns: tuple[str, ...]


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


class Regime(Plugin, Generic[P]):
    """One way to adapt a model. `Parameters`: a `RegimeParameters`."""

    Parameters: type[P]
    TUNED: ClassVar[Tuned | None] = None
    """What tuning searches; None where there is nothing to tune."""
    LABELS: ClassVar[bool] = True
    """Whether it learns from labels."""
    TRAINS: ClassVar[bool] = False
    """Whether it trains by gradient, and so has a budget."""
    POOLED: ClassVar[bool] = False
    """Whether it needs one feature vector an example."""
    PRETRAINED: ClassVar[bool] = True
    """Whether it starts from pretrained weights."""
    PROMPTS: ClassVar[bool] = False
    """Whether it fills the task's templates although it learns from labels."""
    CHECKS: ClassVar[bool] = False
    """Whether `check` has something to judge."""

    def resolve(self, facts: Facts, question: Question, parameters: P) -> Json:
        """What else the trial must hold. Raises NotApplicable; torch-free."""
        return {}

    def check(self, parameters: P) -> None:
        """Judge what only a heavy library can, before anything is trained. Raises UsageError."""

    @abc.abstractmethod
    def adapt(self, context: Context, ledger: Ledger, parameters: P) -> Adapted:
        """Make the model ready for its task, charging stages to the ledger."""


class ReportFormat(Plugin):
    """One format of a report."""

    VERSION = 1

    @abc.abstractmethod
    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """{file name: its content}; identical records give identical bytes."""
