"""Tiny tasks on disk, trials on them, and what plugins are given for these."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch

from bench import plugins
from bench.contracts import Adapted, Context, Modality, Question
from bench.modeling.models.facts import Facts
from bench.modeling.models.files import configs
from bench.planning.lock import split as content_and_place
from bench.probes.guard import Guard
from bench.probes.ledger import Ledger
from bench.suite.parameters import Training
from bench.suite.trial import Json, Names, Trial
from bench.trial import adapt as adapt_model
from bench.trial.attempt import Attempt
from bench.trial.setup import context_of

GOOD, BAD = ["joy", "good", "it was good"], ["dull", "bad", "not good at all"]


def write_texts(path: Path, count: int, seed: int) -> Path:
    """A csv of distinct texts, `good` or `bad` by the words in them."""
    random = np.random.default_rng(seed)
    words = ["the", "film", "plot", "end", "start", "has", "long", "and", "from", "a"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(count):
            label = row % 2
            around = random.choice(words, random.integers(2, 12)).tolist()
            around.insert(int(random.integers(len(around))), str(random.choice((GOOD, BAD)[label])))
            writer.writerow([" ".join(around), ("good", "bad")[label]])
    return path


def write_images(folder: Path, count: int) -> Path:
    """Splits train and test of noisy images, `dark` or `light`."""
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name, low in (("dark", 0), ("light", 100)):
            target = folder / split / name
            target.mkdir(parents=True)
            for number in range(count // 2):
                pixels = random.integers(low, low + 156, (16, 16, 3), dtype=np.uint8)
                PIL.Image.fromarray(pixels).save(target / f"{number}.png")
    return folder


def text_task(folder: Path, train: int = 40, test: int = 24) -> tuple[Json, Json]:
    """A text classification as a trial holds it, and where its data lies."""
    files = {
        "train": str(write_texts(folder / "train.csv", train, 0)),
        "test": str(write_texts(folder / "test.csv", test, 1)),
    }
    return _task("text-classification", "files", {"files": files}, ["good", "bad"], {"max_length": 32})


def image_task(folder: Path, count: int = 40) -> tuple[Json, Json]:
    """An image classification as a trial holds it, and where its data lies."""
    location = {"folder": str(write_images(folder / "images", count))}
    return _task("image-classification", "folder", location, ["dark", "light"], {})


def _task(kind: str, source: str, location: Json, labels: list[str], own: Json) -> tuple[Json, Json]:
    data = plugins.load("data_sources", source)
    plugin = plugins.load("tasks", kind)
    task = {
        "kind": kind,
        "version": plugin.VERSION,
        "parameters": {"labels": labels, "metrics": [], **own},
        "data": {
            "source": source,
            "version": data.VERSION,
            "parameters": {},
            "fingerprint": data.lock(data.Parameters.model_validate(location))["fingerprint"],
        },
        "columns": {role: role for role, needed in plugin.COLUMNS.items() if needed},
        "splits": {"train": "train", "test": "test"},
    }
    return task, location


def trial(
    model: Path | tuple[str, Any], task: tuple[Json, Json], regime: str, parameters: Json | None = None, **changes: Any
) -> Trial:
    """One trial of a model on a task; three steps, no dropout. model: a folder, or a source and its parameters."""
    name, given = ("folder", {"folder": model}) if isinstance(model, Path) else model
    source, module = plugins.load("model_sources", name), plugins.load("regimes", regime)
    made = source.Parameters.model_validate(given)
    content, place = content_and_place(made)
    spec, location = task
    fields: Json = {
        "model": {
            "source": name,
            "version": source.VERSION,
            "parameters": content,
            "fingerprint": source.lock(made)["fingerprint"],
        },
        "task": spec,
        "regime": {"kind": regime, "version": module.VERSION, "parameters": parameters or {}},
        "size": 32 if module.LABELS else 0,
        "noise": 0.0,
        "validation": 0.25,
        "seed": 0,
        "tuned": {module.TUNED.parameter: 1e-2} if module.TUNED else {},
        "budget": {"steps": 3} if module.TRAINS else {},
        "training": Training(batch_size=8, dropout=0.0).model_dump(mode="json"),
        "limits": {},
        "locations": {"model": place, "data": location},
        "names": Names("m", "t", regime),
    }
    return Trial(**(fields | changes))


def order(trial: Trial, results: Path, attempt: str = "a-00001") -> Json:
    """What the runner hands to a worker."""
    source = plugins.load("model_sources", trial.model["source"])
    made = source.Parameters.model_validate(trial.model["parameters"] | trial.locations["model"])
    files = configs(source.fetch(made, trial.model["fingerprint"]), "m")
    return {"trial": trial.to_json(), "attempt": attempt, "results": str(results), "files": files}


def attempt(trial: Trial, results: Path, **changes: Any) -> Attempt:
    """An attempt at a trial on the CPU. changes: other values of its fields."""
    given: Json = changes.pop("order", None) or order(trial, results)
    environment: Json = {"id": "here", "device": "cpu"}
    made = Attempt(given, torch.device("cpu"), environment, 0, lambda stage, done, total: None, Guard())
    return dataclasses.replace(made, **changes)


def context(trial: Trial, results: Path, **changes: Any) -> tuple[Context, Ledger]:
    """The context that plugins are given for a trial, on the CPU, and its ledger. changes: of the attempt."""
    made = attempt(trial, results, **changes)
    ledger = made.ledger()
    return context_of(trial, made, ledger), ledger


def adapt(trial: Trial, results: Path) -> tuple[Context, Ledger, Adapted]:
    """Adapt a trial's model as its regime does."""
    made, ledger = context(trial, results)
    adapted = adapt_model.adapt(made, ledger)
    ledger.note(adapted.notes)
    return made, ledger, adapted


def bare_context(model: Path, labels: Sequence[str] = (), parameters: Any = None, dtype: str = "float32") -> Context:
    """A context of a model folder and a task without data, for a zero-shot way that is given its inputs."""
    nothing: Any = None
    about: Json = {"source": "folder", "version": 1, "parameters": {"dtype": dtype}, "fingerprint": ""}
    way: Json = {"kind": "zero-shot", "version": 1, "parameters": {}}
    return Context(
        trial=Trial(
            model=about, task={}, regime=way, size=0, noise=0.0, validation=0.0, seed=0, tuned={},
            budget={}, training={}, limits={}, locations={}, names=Names("m", "t", "zero-shot"),
        ),
        facts=Facts.from_files(configs(model, "m")), folder=model, device=torch.device("cpu"), task=nothing,
        objective=nothing, parameters=parameters, labels=list(labels), majority=0, data=nothing, parts={},
        environment="here", micro_batch=8, evaluation_batch=8, features=nothing, autocast=contextlib.nullcontext,
    )  # fmt: skip


def question(
    labels: Sequence[str] = (), objective: str = "classes", modality: Modality = "text", label_map: Any = None,
    columns: Sequence[str] = (),
) -> Question:  # fmt: skip
    """What a task asks of a model."""
    return Question(modality, list(labels), label_map or {}, objective, tuple(columns))
