"""Resolves what a suite names, once, and brings it here: commits, fingerprints, files, splits, labels.

Runs in a process of its own, as a trial does, because reading data and pretraining need heavy libraries. Everything
that is wrong with a model or a data set shows here, before anything is trained.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from bench import plugins
from bench.data.row_problems import RowsError
from bench.errors import DataError, ModelError, UsageError
from bench.modeling.models import weights_check
from bench.modeling.models.facts import Facts
from bench.store.cache import cached
from bench.suite.trial import DataSpec, Json, TaskSpec
from bench.trial import also_test, task_data


def prepare(order: Json) -> Json:
    """The lock entry of one model or task, or {} for a regime whose parameters are fine, or devices that can be used.

    order: {"kind": "model" | "task" | "regime" | "devices", "name", "source" or regime kind, "parameters",
    "fingerprint": what is already locked or None, …}. Raises UsageError.
    """
    kind: str = order["kind"]
    return {"model": _model, "task": _task, "regime": _regime, "devices": _devices}[kind](order)


def _model(order: Json) -> Json:
    plugin = plugins.load("model_sources", order["source"])
    parameters = plugin.Parameters.model_validate(order["parameters"])
    entry: Json = order["locked"] or plugin.lock(parameters)
    facts = Facts.from_files(entry["files"])
    folder = plugin.fetch(parameters, entry["fingerprint"])
    if plugin.LOCAL:
        _check(order, parameters, entry["fingerprint"], facts, folder)
    return entry


def _check(order: Json, parameters: Any, fingerprint: str, facts: Facts, folder: Path) -> None:
    """Read all weights once for these uses. Raises ModelError."""
    import transformers

    uses, pooling = order["uses"], parameters.pooling or facts.default_pooling()
    options = {
        "trust_remote_code": getattr(parameters, "trust_remote_code", False),
        "allow_missing": parameters.allow_missing,
    }
    versions = [weights_check.VERSION, transformers.__version__]
    key = {"fingerprint": fingerprint, "uses": uses, "pooling": pooling, "versions": versions, **options}
    try:
        cached("whole", key, lambda _: weights_check.check(folder, facts, uses, pooling, options))
    except ModelError as error:
        raise ModelError(f"model {order['name']}: {error}") from error


def _task(order: Json) -> Json:
    plugin = plugins.load("data_sources", order["source"])
    parameters = plugin.Parameters.model_validate(order["parameters"])
    locked = order["locked"] or plugin.lock(parameters)
    place = f"task {order['name']}"
    task: TaskSpec = order["task"]
    task["data"]["fingerprint"] = locked["fingerprint"]
    also = order.get("also_test", {})
    also_locked = dict((order["locked"] or {}).get("also_test", {}))
    for name, asked_also in task.get("also_test", {}).items():
        also_locked[name] = also_locked.get(name) or _fingerprint(asked_also["data"], also[name])
        asked_also["data"]["fingerprint"] = also_locked[name]
    kind, asked = task_data.task_of(task)
    classes = kind.Parameters.labelled()
    labels: Any = asked.model_dump(mode="json")["labels"] if classes else []
    splits = task_data.open_splits(task, order["location"], place)  # here now, whatever of it is cached: no trial waits
    for _, split in also_test.splits(task):
        task_data.open_splits(
            *also_test.source(task, order["location"], also, split), f"{place}, {also_test.title(split)}"
        )
    if classes and not labels:
        train = splits[task["splits"]["train"]]
        try:
            labels = kind.label_words(train, task["columns"], asked, f"{place}, split {task['splits']['train']}")
        except RowsError as error:
            raise DataError(str(error.at(task_data.place_of(task, order["location"], "train")))) from None
    if classes:
        task["parameters"]["labels"] = labels
    for metric in asked.metrics:
        plugins.load("metrics", metric).check()
    found = task_data.load(task, order["location"], {}, place, also)
    counts = {split: np.bincount(values, minlength=len(labels)).tolist() for split, values in found.labels.items()}
    entry = {"fingerprint": locked["fingerprint"], "labels": labels, "classes": counts, "dropped": found.dropped}
    entry["summary"] = {**found.summary, "remarks": [*locked.get("remarks", ()), *found.summary["remarks"]]}
    return entry | ({"also_test": also_locked} if also_locked else {})


def _fingerprint(data: DataSpec, location: Json) -> str:
    plugin = plugins.load("data_sources", data["source"])
    return plugin.lock(plugin.Parameters.model_validate(data["parameters"] | location))["fingerprint"]  # type: ignore[no-any-return]


def _regime(order: Json) -> Json:
    plugin = plugins.load("regimes", order["source"])
    plugin.check(plugin.Parameters.model_validate(order["parameters"]))
    return {}


def _devices(order: Json) -> Json:
    """Look whether torch can use the devices of this name; what is asked touches none of them. Raises UsageError."""
    import torch

    names = order["name"].split(",")
    os.environ["CUDA_VISIBLE_DEVICES"] = order["name"]
    cause = f"sees {torch.cuda.device_count()} of {len(names)}"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
        if torch.cuda.device_count() == len(names):
            return {}
    except (AssertionError, RuntimeError) as error:
        cause = " ".join(str(error).split()).partition(". ")[0] or cause
    raise UsageError(
        f"{order['asked']}: torch {torch.__version__} cannot use that here ({cause}); name devices that there are, or "
        "--devices cpu"
    )
