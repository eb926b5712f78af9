"""One trial's material, laid out for a regime: the model's folder, the examples it may learn from, the probes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from bench import plugins
from bench.errors import TrialError
from bench.modeling.answering import Loaded, Settings
from bench.modeling.classifier import Classifier
from bench.modeling.encoded import Encoded
from bench.modeling.facts import Facts
from bench.modeling.inference import batched
from bench.modeling.loading import classifier
from bench.probes.clock import Stages, latency
from bench.probes.memory import PeakMemory
from bench.store.cache import cached
from bench.suite.parameters import Budget, Training
from bench.suite.trial import Json, Trial
from bench.training.batching import endless
from bench.training.checkpoint import Checkpoint
from bench.training.loop import accelerator_for, train
from bench.training.seeding import stream
from bench.training.standing import Fit

Tick = Callable[[str, int, int | None], None]


@dataclass
class Part:
    """Some examples of one split. indices: int64 [n] into the split; labels: int64 [n], noisy where the trial says."""

    split: str
    indices: np.ndarray
    labels: np.ndarray


@dataclass
class Adapted:
    """A model made ready for its task by a regime.

    predict: a part → log-probabilities, float32 [templates, n, classes] (one template but for zero-shot)
    trainable, total: numbers of parameters; stored_bytes: what must be kept beside the pretrained model
    backbone: what training changed; None where it changed nothing but a head
    """

    predict: Callable[[Part], np.ndarray]
    trainable: int
    total: int
    stored_bytes: int
    backbone: nn.Module | None = None


@dataclass
class Job:
    """What a regime works on.

    parts: `train` and `validation` (both empty for zero-shot) and `test`; labels: the classes' words; majority: the
    training pool's most frequent class; inputs: a split's name → its texts or images, opened when first asked for.
    """

    trial: Trial
    facts: Facts
    folder: Path
    device: torch.device
    task: ModuleType
    parameters: Any
    labels: list[str]
    majority: int
    inputs: Callable[[str], Sequence[Any]]
    parts: dict[str, Part]
    environment: str
    stages: Stages
    memory: PeakMemory
    micro_batch: int
    evaluation_batch: int
    checkpoint: Checkpoint | None = None
    tick: Tick = lambda stage, done, total: None
    fit: Fit | None = None
    notes: list[str] = field(default_factory=list)
    backbone_parameters: int = 0
    feature_latency: float = 0.0
    shared_seconds: float = 0.0
    _encoded: dict[str, Encoded] = field(default_factory=dict)
    _feature_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def pooling(self) -> str:
        """The one pooling all regimes on this backbone share."""
        return self.trial.model["parameters"].get("pooling") or self.facts.default_pooling()

    @property
    def training(self) -> Training:
        """The trial's training settings."""
        return Training.model_validate(self.trial.training)

    def encoded(self, split: str) -> Encoded:
        """A split as the model takes it: from the cache, or computed and cached."""
        if split not in self._encoded:
            with self.stages.stage("tokenise"):
                self.tick("tokenise", 0, None)
                folder = cached(
                    "encoded",
                    self._key(split),
                    lambda target: self.task.encode(self.folder, self.inputs(split), self.parameters, target),
                )
                self._encoded[split] = self.task.load(folder)
        return self._encoded[split]

    def classifier(self, *, pretrained: bool, frozen: bool = False) -> Classifier:
        """A new classifier on the device; its head, and a random backbone, come from the initialisation stream.

        frozen: the pretrained weights will not train, and are held in the model's `dtype`; else in fp32.
        """
        with self.stages.stage("load"):
            return self._classifier(pretrained, frozen)

    def _classifier(self, pretrained: bool, frozen: bool) -> Classifier:
        self.tick("load", 0, None)
        parameters = self.trial.model["parameters"]
        return classifier(
            self.folder,
            classes=len(self.labels),
            pooling=self.pooling,
            modality=self.task.MODALITY,
            pretrained=pretrained,
            seed=stream(self.trial.seed, "initialisation"),
            dropout=self.trial.training.get("dropout"),
            dtype=parameters["dtype"] if frozen else "float32",
            trust_remote_code=parameters.get("trust_remote_code", False),
        ).to(self.device)

    def train(self, model: Classifier) -> None:
        """Train what is trainable in `model`, on the train part, within the trial's budget."""
        part, encoded = self.parts["train"], self.encoded(self.parts["train"].split)
        budget = Budget.model_validate(self.trial.budget)
        if budget.until and not len(self.parts["validation"].indices):
            raise TrialError("`until: converged` is judged on held-out labels, and there are none; take more labels")
        self.encoded(self.parts["validation"].split)
        lengths = np.asarray(encoded.lengths)[part.indices]
        torch.manual_seed(stream(self.trial.seed, "dropout"))
        with self.stages.stage("train"):
            self.fit = train(
                model,
                lambda positions: encoded.batch(part.indices[positions], self.device),
                part.labels,
                lengths,
                endless(lengths, self.training.batch_size, stream(self.trial.seed, "order")),
                budget=budget,
                training=self.training,
                learning_rate=self.trial.tuned["learning_rate"],
                micro_batch=self.micro_batch,
                device=self.device,
                validate=(lambda: self._validation_loss(model)) if budget.until else None,
                checkpoint=self.checkpoint,
                tick=lambda done, total: self.tick("train", done, total),
            )
        seconds, joules = self.stages.seconds, self.stages.joules
        whole = seconds["train"] - seconds.get("validation", 0.0) - seconds.get("checkpoint", 0.0)
        seconds["train"] = self.fit.times.total()
        seconds["overhead"] = whole - seconds["train"]
        if "train" in joules:
            joules["train"] -= joules.get("validation", 0.0) + joules.get("checkpoint", 0.0)

    def _validation_loss(self, model: Classifier) -> float:
        with self.stages.stage("validation"):
            part = self.parts["validation"]
            found = self.predict(model, part)[0]
            return float(-found[np.arange(len(part.labels)), part.labels].mean())

    def predict(self, model: Classifier, part: Part) -> np.ndarray:
        """Log-probabilities of a part, float32 [1, n, classes]."""
        encoded = self.encoded(part.split)
        autocast = accelerator_for(self.training.precision, self.device).autocast
        model.eval()
        return batched(
            lambda positions: model(encoded.batch(part.indices[positions], self.device)).float().log_softmax(dim=-1),
            np.asarray(encoded.lengths)[part.indices],
            self.evaluation_batch,
            autocast,
            lambda done, total: self.tick("predict", done, total),
        )[None]

    def whole_model(self, way: str) -> Loaded:
        """The model with its own head, as a way of zero-shot takes it."""
        with self.stages.stage("load"):
            model = self.trial.model["parameters"]
            plugin = plugins.load("zeroshot", way)
            loaded: Loaded = plugin.load(
                self.folder, self.device, getattr(torch, model["dtype"]), model.get("trust_remote_code", False)
            )
            return loaded

    def ask(self, way: str, loaded: Loaded, inputs: Sequence[Any], task: Any, *, prior: bool = False) -> np.ndarray:
        """A way of zero-shot's log-probabilities, float32 [templates, n, classes]. task: the task kind's parameters."""
        plugin = plugins.load("zeroshot", way)
        how = Settings(
            label_map=task.label_map,
            device=self.device,
            batch_size=self.evaluation_batch,
            max_length=getattr(task, "max_length", 0),
            prior=prior,
            autocast=accelerator_for(self.training.precision, self.device).autocast,
            tick=lambda done, total: self.tick("predict", done, total),
        )
        answers: np.ndarray = plugin.log_probabilities(
            loaded, inputs, task.words(), task.templates or plugin.TEMPLATES, how
        )
        return answers

    def features(self, split: str) -> np.ndarray:
        """Frozen features of a whole split, float32 [n, width], computed once for all trials that share them.

        What they cost is charged to every trial in proportion to the examples it uses of them (`charge`), and not to
        the one that happens to compute them.
        """
        key = {**self._key(split), "features": self.pooling, "environment": self.environment,
               "precision": self.training.precision, "dtype": self.trial.model["parameters"]["dtype"]}  # fmt: skip
        encoded = self.encoded(split)

        def compute(target: Path) -> None:
            model = self._classifier(pretrained=True, frozen=True).eval()  # no stage: not this trial's alone
            autocast = accelerator_for(self.training.precision, self.device).autocast
            begun = time.perf_counter()
            found = batched(
                lambda positions: model.features(encoded.batch(positions, self.device)),
                np.asarray(encoded.lengths),
                self.evaluation_batch,
                autocast,
                lambda done, total: self.tick("features", done, total),
            )
            np.save(target / "features.npy", found)
            facts = {
                "seconds": time.perf_counter() - begun,
                "examples": len(found),
                "parameters": sum(p.numel() for p in model.backbone.parameters()),
            }
            one = np.arange(1)
            with torch.inference_mode(), autocast():
                facts["latency"] = latency(
                    lambda: model.features(encoded.batch(one, self.device)), self.stages.synchronise
                )
            (target / "facts.json").write_text(json.dumps(facts))

        begun = time.perf_counter()
        folder = cached("features", key, compute)
        self.shared_seconds -= time.perf_counter() - begun
        facts = json.loads((folder / "facts.json").read_text())
        self.backbone_parameters, self.feature_latency = facts["parameters"], facts["latency"]
        self._feature_seconds[split] = facts["seconds"] / facts["examples"]
        return np.asarray(np.load(folder / "features.npy", mmap_mode="r"))

    def charge(self, stage: str, part: Part) -> None:
        """Charge a stage the part's share of computing the features it used; nothing where it used none."""
        share = self._feature_seconds.get(part.split, 0.0) * len(part.indices)
        self.stages.seconds[stage] += share
        self.shared_seconds += share

    def _key(self, split: str) -> Json:
        """Everything that determines how this model takes this split."""
        return {"model": self.trial.model, "task": self.trial.task, "split": split, "limits": self.trial.limits}
