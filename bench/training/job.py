"""One trial's material, laid out for a regime: the model's folder, the examples it may learn from, the probes."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench import plugins
from bench.contracts import TaskKind
from bench.data.examples import Examples
from bench.data.seeding import stream
from bench.errors import TrialError
from bench.modeling.encoding.arrays import Tokens
from bench.modeling.encoding.text import cut, tokenizer_for
from bench.modeling.inference.batched import batched, by_length
from bench.modeling.inference.zero_shot import Loaded, Remembering, Settings
from bench.modeling.models.facts import Facts
from bench.probes import heartbeat
from bench.probes.clock import Stages, latency
from bench.probes.guard import Guard
from bench.probes.memory import PeakMemory, release
from bench.store.cache import cached
from bench.suite.parameters import Budget, Training
from bench.suite.trial import Json, Trial
from bench.training import starting_weights as start
from bench.training.checkpoint import Checkpoint
from bench.training.loop import accelerator_for, train
from bench.training.loss import Goal
from bench.training.sampler import endless
from bench.training.state import Fit

Tick = Callable[[str, int, int | None], None]
Solved = tuple[Callable[[Any], np.ndarray], list[str]]
"""What an objective solves on features: features [n, width] → answers [1][n], and what is to be remarked of it."""

Baseline = Callable[[], Any]
"""Gives answers [1][n] that take no model; None where there are none."""


@dataclass
class Part:
    """Some examples of one split. indices: int64 [n] into the split. labels: int64 [n], their classes, or where the
    task has none the rows of the split whose targets they have; `wrong` of them noisy, where the trial says so."""

    split: str
    indices: np.ndarray
    labels: np.ndarray
    wrong: int = 0


@dataclass
class Adapted:
    """A model made ready for its task by a regime.

    predict: a part → answers [templates][n] (one template but for zero-shot), of the form of the task's objective
    trainable, total: numbers of parameters; stored_bytes: what must be kept beside the pretrained model; None where
    nobody here can know
    backbone: what training changed; None where it changed nothing but a head
    model: the whole of it, head and all, where it was trained by gradient
    costs, facts: for the record, beside or instead of what is measured here; filled while it predicts
    """

    predict: Callable[[Part], Any]
    trainable: int | None
    total: int | None
    stored_bytes: int | None
    backbone: nn.Module | None = None
    model: nn.Module | None = None
    costs: Json = field(default_factory=dict)
    facts: Json = field(default_factory=dict)

    @classmethod
    def as_is(cls, predict: Callable[[Part], Any], model: nn.Module) -> Adapted:
        """A model of which nothing was trained."""
        return cls(predict, trainable=0, total=sum(p.numel() for p in model.parameters()), stored_bytes=0)


@dataclass
class Job:
    """What a regime works on.

    parts: `train` and `validation` (both empty for zero-shot) and `test`; labels: the classes' words, empty where the
    task has none; majority: the training pool's most frequent class; examples: a split's name → its texts or images and
    targets, opened when first asked for; shots: (input, answer in words), examples to stand in a prompt. start: a
    folder of the cache with the weights (`bench.training.starting_weights`) that models start from instead;
    apart: what it has used of other trials' work too, by stage. rows: by split, where its examples stand in the data
    set. prepared: None, but while the time of one answer is taken (`one_answer`). guard: runs what the trial could do
    without. intact: raises ModelError where the model's files are no more what was locked; called after they are read,
    and before what was made of them is kept.
    """

    trial: Trial
    facts: Facts
    folder: Path
    device: torch.device
    task: TaskKind[Any]
    parameters: Any
    labels: list[str]
    majority: int
    examples: Callable[[str], Examples]
    parts: dict[str, Part]
    environment: str
    stages: Stages
    memory: PeakMemory
    micro_batch: int
    evaluation_batch: int
    checkpoint: Checkpoint | None = None
    tick: Tick = lambda stage, done, total: None
    guard: Guard = field(default_factory=Guard)
    fit: Fit | None = None
    notes: list[str] = field(default_factory=list)
    backbone_parameters: int = 0
    feature_latency: float | None = None
    shared_seconds: float = 0.0
    tokens_written: int = 0
    start: Path | None = None
    apart: Json = field(default_factory=dict)
    decoding: Json = field(default_factory=dict)
    shots: list[tuple[Any, str]] = field(default_factory=list)
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    prepared: dict[Any, Any] | None = None
    intact: Callable[[], None] = lambda: None
    _encoded: dict[str, Any] = field(default_factory=dict)
    _feature_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def on_features(self) -> bool:
        """Whether it works on cached features, which its own predictions need not compute."""
        return bool(self._feature_seconds)

    @property
    def pooling(self) -> str:
        """The one pooling all regimes on this backbone share."""
        return self.trial.model["parameters"].get("pooling") or self.facts.default_pooling()

    @property
    def training(self) -> Training:
        """The trial's training settings."""
        return Training.model_validate(self.trial.training)

    @property
    def objective(self) -> Any:
        """What the task's models are trained to answer."""
        return plugins.load("objectives", self.task.OBJECTIVE)

    @functools.cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer, loaded when first asked for."""
        return tokenizer_for(self.folder)

    def encoded(self, split: str) -> Any:
        """A split as the model takes it, the shots before each: from the cache, or computed and cached."""
        if split not in self._encoded:

            def encode(target: Path) -> None:
                found = replace(self.examples(split), shots=self.shots)
                self.task.encode(self.folder, found, self.parameters, target)
                self.intact()

            with self.stages.stage("tokenise"), self.working("tokenise"):
                folder = cached("encoded", self._key(split), encode)
                self._encoded[split] = self.task.load(folder)
        return self._encoded[split]

    def rows_of(self, part: Part) -> np.ndarray:
        """Where a part's examples stand in the split of the data set that they come from, int64 [n]."""
        found = self.rows.get(part.split)
        return part.indices if found is None else found[part.indices]

    def cut(self) -> list[str]:
        """A remark where the training texts that it took were cut."""
        found = self._encoded.get("train")
        said = cut(self.folder, found, self.parameters.max_length) if isinstance(found, Tokens) else None
        return [said] if said else []

    def working(self, stage: str) -> AbstractContextManager[None]:
        """Shows signs of life while the block works."""
        return heartbeat.working(lambda: self.tick(stage, 0, None))

    def model(self, *, pretrained: bool, frozen: bool = False) -> Any:
        """A new model for the task on the device, as its objective builds it."""
        with self.stages.stage("load"):
            return self._model(pretrained, frozen)

    def _model(self, pretrained: bool, frozen: bool) -> nn.Module:
        self.tick("load", 0, None)
        model: Any = self.objective.build(self, pretrained, frozen)
        self.intact()
        if pretrained and self.start is not None:
            start.place(model.backbone, start.read(self.start))
        built: nn.Module = model.to(self.device)
        return built

    def loading(self, frozen: bool) -> Json:
        """How objectives have models built: the seed of random weights, dropout, dtype, and what is allowed."""
        parameters = self.trial.model["parameters"]
        return {
            "seed": stream(self.trial.seed, "initialisation"),
            "dropout": self.trial.training.get("dropout"),
            "dtype": parameters["dtype"] if frozen else "float32",
            **self._options(),
        }

    def _options(self) -> Json:
        """Whether the model's own code may run, and which of its weights may be random."""
        parameters = self.trial.model["parameters"]
        return {
            "trust_remote_code": parameters.get("trust_remote_code", False),
            "allow_missing": parameters.get("allow_missing", ()),
        }

    def train(self, model: nn.Module) -> None:
        """Train what is trainable in `model`, on the train part, within the trial's budget."""
        budget = Budget.model_validate(self.trial.budget)
        if budget.until and not len(self.parts["validation"].indices):
            raise TrialError("`until: converged` is judged on held-out labels, and there are none; take more labels")
        goal, held_out = (self.objective.goal(self, self.parts[name]) for name in ("train", "validation"))
        torch.manual_seed(stream(self.trial.seed, "dropout"))
        with self.stages.stage("train"):
            self.fit = train(
                model,
                goal,
                endless(goal.lengths, self.training.batch_size, stream(self.trial.seed, "order")),
                budget=budget,
                training=self.training,
                learning_rate=self.trial.tuned["learning_rate"],
                micro_batch=self.micro_batch,
                device=self.device,
                validate=(lambda: self._validation_loss(model, held_out)) if budget.until else None,
                checkpoint=self.checkpoint,
                tick=lambda done, total: self.tick("train", done, total),
                guard=self.guard,
            )
        within = [stage for stage in ("validation", "checkpoint") if stage in self.stages.seconds]
        seconds, joules = self.stages.seconds, self.stages.joules
        seconds["train"] -= sum(seconds[stage] for stage in within)
        if (pure := self.fit.times.total()) is not None:
            pure = min(pure, seconds["train"])  # a warm step that was slow would stand for the cold ones too
            seconds["overhead"], seconds["train"] = seconds["train"] - pure, pure
        if "train" in joules and all(stage in joules for stage in within):
            joules["train"] -= sum(joules[stage] for stage in within)
        else:
            joules.pop("train", None)

    def _validation_loss(self, model: nn.Module, goal: Goal) -> float:
        with self.stages.stage("validation"), torch.inference_mode(), self.autocast():
            model.eval()
            batches = by_length(goal.lengths, self.evaluation_batch)
            losses = [goal.loss(model, batch).float() for batch in batches]
            return float(torch.stack(losses).sum()) / int(goal.weights.sum())

    def autocast(self) -> AbstractContextManager[Any]:
        """The trial's precision."""
        context: AbstractContextManager[Any] = accelerator_for(self.training.precision, self.device).autocast()
        return context

    def batched(self, forward: Callable[[np.ndarray], Tensor], lengths: np.ndarray, stage: str) -> np.ndarray:
        """`forward` (positions → [n, width]) of all positions, float32 [n, width], under the trial's precision."""
        return batched(
            forward, lengths, self.evaluation_batch, self.autocast, lambda done, total: self.tick(stage, done, total)
        )

    def whole_model(self, way: str) -> Loaded:
        """The model with its own head, as a way of zero-shot takes it."""
        with self.stages.stage("load"):
            dtype = getattr(torch, self.trial.model["parameters"]["dtype"])
            plugin = plugins.load("zeroshot", way)
            loaded: Loaded = plugin.load(self.folder, self.device, dtype, **self._options())
            self.intact()
            return loaded

    def unlearnt(self, answer: Callable[[Loaded, list[Any], Settings], Any]) -> Adapted:
        """The model with its own head, as the trial's way of zero-shot asks it. answer: (model, inputs, how) →
        [templates][n]."""
        loaded = self.whole_model(self.trial.regime["way"])

        def predict(part: Part) -> Any:
            inputs = self.examples(part.split).inputs
            asked = loaded
            if self.prepared is not None and loaded.tokenizer is not None:
                asked = replace(loaded, tokenizer=Remembering(loaded.tokenizer, self.prepared))
            return answer(asked, [inputs[row] for row in part.indices.tolist()], self.settings(self.parameters))

        return Adapted.as_is(predict, loaded.model)

    def settings(self, task: Any) -> Settings:
        """How a way of zero-shot asks the model. task: the task kind's parameters."""
        return Settings(
            label_map=getattr(task, "label_map", {}),
            device=self.device,
            batch_size=self.evaluation_batch,
            max_length=getattr(task, "max_length", 0),
            prior=bool(self.trial.regime["parameters"].get("prior")),
            autocast=self.autocast,
            tick=lambda done, total: self.tick("predict", done, total),
            shots=self.shots,
            prepared=self.prepared,
        )

    @contextmanager
    def one_answer(self) -> Iterator[None]:
        """While the time of one answer is taken, the same again and again: the first template alone asks, and what is
        ready before the model runs is so for every regime: the example's tokens or pixels, and labels' embeddings."""
        self.prepared = {}
        try:
            yield
        finally:
            self.prepared = None

    def templates(self, task: Any, default: Sequence[str]) -> Sequence[str]:
        """Those of a task's parameters, or where it names none the default; one while the time of one answer is
        taken."""
        found: Sequence[str] = task.templates or default
        return found if self.prepared is None else found[:1]

    def ask(self, way: str, loaded: Loaded, inputs: Sequence[Any], task: Any) -> np.ndarray:
        """A way of zero-shot's log-probabilities, float32 [templates, n, classes]. task: the task kind's parameters."""
        plugin = plugins.load("zeroshot", way)
        answers: np.ndarray = plugin.log_probabilities(
            loaded, inputs, task.words(), self.templates(task, plugin.TEMPLATES), self.settings(task)
        )
        return answers

    def features(self, split: str) -> np.ndarray:
        """Frozen features of a whole split, float32 [n, width], computed once for all trials that share them.

        What they cost is charged to every trial in proportion to the examples it uses of them (`charge`), and not to
        the one that happens to compute them.
        """
        key = {**self._key(split), "features": self.pooling, "environment": self.environment,
               "precision": self.training.precision, "dtype": self.trial.model["parameters"]["dtype"],
               **({"start": self.start.name} if self.start else {})}  # fmt: skip
        encoded = self.encoded(split)

        def compute(target: Path) -> None:
            model: Any = self._model(pretrained=True, frozen=True).eval()  # no stage: not this trial's alone
            begun = time.perf_counter()
            found = self.batched(
                lambda rows: model.features(encoded.batch(rows, self.device)), np.asarray(encoded.lengths), "features"
            )
            self.intact()
            np.save(target / "features.npy", found)
            facts = {
                "seconds": time.perf_counter() - begun,
                "examples": len(found),
                "parameters": sum(p.numel() for p in model.backbone.parameters()),
            }
            one, told = np.arange(1), Guard()
            with torch.inference_mode(), self.autocast():
                facts["latency"] = told("the latency", lambda: latency(
                    lambda: model.features(encoded.batch(one, self.device)), self.stages.synchronise
                ))  # fmt: skip
            facts["notes"] = told.notes
            (target / "facts.json").write_text(json.dumps(facts))

        begun = time.perf_counter()
        folder = cached("features", key, compute)
        self.shared_seconds -= time.perf_counter() - begun
        facts = json.loads((folder / "facts.json").read_text())
        self.backbone_parameters, self.feature_latency = facts["parameters"], facts["latency"]
        self.notes += [note for note in facts.get("notes", []) if note not in self.notes]
        self._feature_seconds[split] = facts["seconds"] / facts["examples"]
        return np.asarray(np.load(folder / "features.npy", mmap_mode="r"))

    def shared(self, stage: str, kind: str, key: Json, compute: Callable[[Path], Json]) -> Path:
        """A folder of the cache that whole trials share, filled by `compute`, which says what that took.

        compute: folder → {"seconds", "notes", …}, kept as facts.json. Its seconds are charged in full to every trial
        that uses the folder, and not the time that this one took or waited for it; its memory is no trial's.
        """
        begun = time.perf_counter()

        def fill(target: Path) -> None:
            facts = compute(target)
            self.intact()
            (target / "facts.json").write_text(json.dumps(facts))

        folder = cached(kind, key, fill)
        release(self.device)
        self.memory.reset()
        facts = json.loads((folder / "facts.json").read_text())
        self.shared_seconds += facts["seconds"] - (time.perf_counter() - begun)
        self.stages.seconds[stage] = self.stages.seconds.get(stage, 0.0) + facts["seconds"]
        self.notes += facts.pop("notes")
        self.apart[stage] = facts
        return folder

    def charge(self, stage: str, part: Part) -> None:
        """Charge a stage the part's share of computing the features it used; nothing where it used none."""
        share = self._feature_seconds.get(part.split, 0.0) * len(part.indices)
        self.stages.seconds[stage] += share
        self.shared_seconds += share

    def _key(self, split: str) -> Json:
        """Everything that determines how this model takes this split."""
        key: Json = {"model": self.trial.model, "task": self.trial.task, "split": split, "limits": self.trial.limits}
        if self.task.MODALITY == "image":
            key["depth"] = 8  # until images of 16 bits were scaled, they were kept cut to white
        return key | ({"shots": self.shots} if self.shots else {})
