"""What passes between a trial and its plugins."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from bench.contracts.objective import Objective
    from bench.contracts.task import TaskKind
    from bench.data.examples import Examples
    from bench.modeling.models.facts import Facts
    from bench.training.checkpoint import Checkpoint
    from bench.training.state import Fit as TrainingFit


Modality = Literal["text", "image", "audio"]
"""What a task's inputs are."""


Baseline = Callable[[], Any]
"""Gives answers [1][n] that take no model; None where there are none."""


Tick = Callable[[str, int, int | None], None]
"""Told of progress: (stage, done, total)."""


Prepared = dict[Any, Any]
"""What is ready before a model runs (tokens, pixels, labels' embeddings), kept while one answer is timed repeatedly."""


class Solved(NamedTuple):
    """A linear model fitted to features. answers: features [n, width] → answers [1][n]; notes: remarks on the fit;
    linear: the same as the head that the objective builds, weights [outputs, width] and biases [outputs], or None."""

    answers: Callable[[Any], Any]
    notes: list[str]
    linear: tuple[np.ndarray, np.ndarray] | None = None


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


class Choice(NamedTuple):
    """A value that a trial chose by cross-validation, of those it tried. scores: {metric: value} of its out-of-fold
    answers; parts: the pseudo-values of the first; on_edge: whether it is the outermost of the values by more than one
    standard error."""

    parameter: str
    value: float
    tried: tuple[float, ...]
    on_edge: bool
    scores: dict[str, float]
    parts: list[float]


@dataclass(frozen=True)
class Adapted:
    """A model made ready for its task by a regime.

    trainable, total: numbers of parameters; stored_bytes: what must be kept beside the pretrained model; None where
    nobody here can know. backbone: what training changed; None where it changed nothing but a head. model: the whole
    of it, head and all, where it was trained by gradient. head: of a frozen backbone whose head was solved, its weights
    [outputs, width] and biases [outputs]. fit: what training measured. choice: what it chose by
    cross-validation, having then learnt from the held-out labels too. notes: remarks; facts: for the record.
    """

    predict: Predict
    trainable: int | None
    total: int | None
    stored_bytes: int | None
    backbone: nn.Module | None = None
    model: nn.Module | None = None
    head: tuple[np.ndarray, np.ndarray] | None = None
    fit: TrainingFit | None = None
    choice: Choice | None = None
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

    def with_encoded(self, split: str, encoded: Any) -> Features:
        """The same, but for how the model takes a split."""
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

    def clusters(self, split: str) -> np.ndarray | None:
        """Which of its examples belong together, int64 [n]; None where nothing says it."""
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

    @property
    def metrics(self) -> list[str]:
        """The metrics of its task, the one that is compared first."""
        return list(self.trial.task["parameters"].get("metrics") or [self.task.METRIC])

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

    def with_few_shot(self, examples: tuple[tuple[Any, str], ...]) -> Context:
        """The same with examples (input, answer in words) in its prompts."""
        return self.replace(few_shot=examples, features=self.features.with_few_shot(examples))

    def starting_from(self, start: Path) -> Context:
        """The same, but models start from the weights in a folder of the cache."""
        return self.replace(start=start, features=self.features.starting_from(start))

    def replace(self, **changes: Any) -> Context:
        """The same with other values; what features depend on has a method of its own."""
        return dataclasses.replace(self, **changes)


class Question(NamedTuple):
    """What a task asks of a model, as far as planning needs to know. columns: the roles of the task's columns."""

    modality: Modality
    labels: list[str]
    label_map: Mapping[str, str]
    objective: str
    columns: tuple[str, ...]
