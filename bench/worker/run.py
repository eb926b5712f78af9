"""One trial, from load to record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench import plugins
from bench.errors import Diverged, NotApplicable
from bench.modeling.facts import Facts
from bench.probes import clock
from bench.probes import flops as flop_probe
from bench.probes.clock import Stages
from bench.probes.energy import Energy
from bench.probes.memory import PeakMemory
from bench.store import paths
from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial
from bench.training.job import Adapted, Job, Part, Tick
from bench.training.loop import Fit
from bench.training.noise import corrupt
from bench.training.subsets import draw
from bench.worker import environment, evaluation, forgetting, material


def run(order: Json, device: Any, threads: int, tick: Tick, record: Json) -> None:
    """Run the trial `order["trial"]` and fill `record` as far as it gets.

    order: {"trial", "attempt", "results": folder of the suite's results, "files": the model's config files}
    Raises what went wrong; `status_of` names it.
    """
    trial = Trial.from_json(order["trial"])
    training = Training.model_validate(trial.training or {})
    record["started"] = datetime.now(UTC).isoformat(timespec="seconds")
    record["environment"] = environment.describe(device, threads, training.precision)
    micro_batch, energy = training.batch_size, Energy(device)
    while True:
        stages = Stages(_synchroniser(device), energy.joules)
        try:
            job = _job(trial, order, device, stages, micro_batch, tick, record)
            _measure(job, order, record)
            return
        except Exception as error:
            if not (_is_device_oom(error) and micro_batch > 1):
                raise
        micro_batch = (micro_batch + 1) // 2
        record["facts"]["notes"] = [f"device out of memory: micro-batch halved to {micro_batch}, effective batch kept"]
        _release(device)


def status_of(error: BaseException) -> str:
    """The status of a trial that ended in this exception."""
    if isinstance(error, NotApplicable):
        return "not_applicable"
    if isinstance(error, Diverged):
        return "diverged"
    if _is_device_oom(error):
        return "oom_device"
    return "oom_host" if isinstance(error, MemoryError) else "failed"


def _job(trial: Trial, order: Json, device: Any, stages: Stages, micro_batch: int, tick: Tick, record: Json) -> Job:
    source = plugins.load("models", trial.model["source"])
    with stages.stage("load"):
        tick("load", 0, None)
        origin = source.Parameters.model_validate(trial.model["parameters"] | trial.locations["model"])
        folder = source.fetch(origin, trial.model["fingerprint"])
        found = material.load(trial.task, trial.locations["data"], trial.limits)
    task, parameters = material.task_of(trial.task)
    labels = parameters.words()
    parts = _parts(trial, found, len(labels))
    notes = list(record.get("facts", {}).get("notes", []))
    if found.dropped:
        notes.append(f"{found.dropped} examples that also stand in the test split were left out of training")
    record["facts"] = {
        "train_examples": len(parts["train"].indices),
        "validation_examples": len(parts["validation"].indices),
        "test_examples": len(parts["test"].indices),
        "noisy_labels": sum(int((p.labels != found.labels[p.split][p.indices]).sum()) for p in parts.values()),
        "notes": notes,
    }  # fmt: skip
    record["scores"] = {"metric": _metrics(trial, task)[0]}
    return Job(
        trial=trial, facts=Facts.from_files(order["files"]), folder=folder, device=device, task=task,
        parameters=parameters, labels=labels, majority=int(np.bincount(found.labels["train"]).argmax()),
        inputs=found.inputs, parts=parts,
        environment=record["environment"]["id"], stages=stages, memory=PeakMemory(device), micro_batch=micro_batch,
        tick=tick, notes=notes,
    )  # fmt: skip


def _parts(trial: Trial, found: material.Material, classes: int) -> dict[str, Part]:
    """What may be learnt from, what it is judged by while learning, and the test split, whose labels stay clean."""
    test = Part("test", np.arange(len(found.labels["test"])), found.labels["test"])
    empty = np.empty(0, dtype=np.int64)
    if trial.size == 0:
        return {"train": Part("train", empty, empty), "validation": Part("train", empty, empty), "test": test}
    full = trial.validation == "full"
    subset = draw(
        found.labels["train"], trial.size, 0.0 if trial.validation == "full" else trial.validation, trial.seed
    )
    held_out = ("validation", np.arange(len(found.labels["validation"]))) if full else ("train", subset.validation)
    parts = {"test": test}
    for name, (split, indices) in {"train": ("train", subset.train), "validation": held_out}.items():
        parts[name] = Part(split, indices, corrupt(found.labels[split], indices, trial.noise, classes, trial.seed))
    return parts


def _measure(job: Job, order: Json, record: Json) -> None:
    """Adapt, score, time. Everything known is in `record` at once, so that a failure keeps it."""
    trial, stages = job.trial, job.stages
    module = plugins.load("regimes", trial.regime["kind"])
    parameters = module.Parameters.model_validate(trial.regime["parameters"])
    costs: Json = {"seconds": stages.seconds, "memory_bytes": {}}
    record["costs"] = costs
    metrics = _metrics(trial, job.task)
    job.memory.reset()
    adapted: Adapted = module.adapt(job, parameters)
    costs["memory_bytes"] |= job.memory.peaks("train")
    job.memory.reset()
    if len(job.parts["validation"].indices):
        with stages.stage("validation"):
            held_out = adapted.predict(job.parts["validation"])
        job.charge("validation", job.parts["validation"])
        record["scores"]["validation"] = evaluation.scores(metrics, job.parts["validation"].labels, held_out)
        record["scores"]["validation"]["log_loss"] = evaluation.log_loss(job.parts["validation"].labels, held_out[0])
    artifact: Json = {"curve": {"losses": job.fit.losses, "validations": job.fit.validations} if job.fit else {}}
    if trial.purpose == "reported":
        part = job.parts["test"]
        if module.LABELS:
            job.encoded(part.split)  # tokenising is a stage of its own
        with stages.stage("test"):
            found = adapted.predict(part)
        job.charge("test", part)
        costs["memory_bytes"] |= job.memory.peaks("inference")
        record["scores"]["test"] = evaluation.scores(metrics, part.labels, found)
        if len(found) > 1:
            record["scores"]["templates"] = evaluation.by_template(metrics, part.labels, found)
        majority = evaluation.majority(job.majority, part.labels, len(job.labels))
        record["scores"]["majority"] = evaluation.scores(metrics, part.labels, majority)
        artifact["predictions"] = evaluation.predictions(metrics[0], part, found)
        costs["inference"] = _inference(job, adapted, part, stages)
    with stages.stage("save"):
        evaluation.save(paths.artifacts(Path(order["results"]), trial.id, order["attempt"]), artifact)
    if trial.purpose == "reported" and "forgetting" in trial.regime and adapted.backbone is not None:
        with stages.stage("forgetting"):
            record["scores"]["forgetting"] = forgetting.measure(job, adapted.backbone, trial.locations["forgetting"])
    _finish(job, adapted, costs, record)
    if "way" in trial.regime:
        record["facts"]["method"] = trial.regime["way"]


def _finish(job: Job, adapted: Adapted, costs: Json, record: Json) -> None:
    costs["seconds"] = {**job.stages.seconds, "total": job.stages.total() + job.shared_seconds}
    costs["parameters"] = {"total": adapted.total, "trainable": adapted.trainable}
    costs["stored_bytes"] = adapted.stored_bytes
    if job.stages.joules:
        costs["energy_joules"] = job.stages.joules
    record["facts"]["notes"] = job.notes
    if job.trial.regime["kind"] != "zero-shot":
        record["facts"]["pooling"] = job.pooling
    if job.fit is not None:
        costs |= _training(job, job.fit, record["environment"]["device"])


def _training(job: Job, fit: Fit, device: str) -> Json:
    costs: Json = {"steps": fit.steps}
    seconds = job.stages.seconds
    costs["step_seconds"] = fit.times.summary()
    costs["examples_per_second"] = fit.examples / seconds["train"]
    costs["tokens_per_second"] = fit.tokens / seconds["train"]
    costs["flops"] = {"train": fit.flops, "per_step": fit.flops / fit.steps}
    peak = flop_probe.peak(device)
    if peak is not None and job.training.precision == "bf16":
        costs["flops"]["utilisation"] = costs["flops"]["per_step"] / costs["step_seconds"]["median"] / peak
    size = job.training.batch_size
    costs["batch"] = {"size": size, "micro": min(job.micro_batch, size), "accumulation": -(-size // job.micro_batch)}
    costs["probe_fraction"] = fit.times.own_seconds / seconds["train"]
    return costs


def _inference(job: Job, adapted: Adapted, part: Part, stages: Stages) -> Json:
    """Seconds for one example (median of a few), and examples per second of the whole test pass.

    Features are cached, so a probe is charged what its backbone took.
    """
    one = Part(part.split, part.indices[:1], part.labels[:1])
    latency = job.feature_latency or clock.latency(lambda: adapted.predict(one), stages.synchronise)
    return {"latency_seconds": latency, "examples_per_second": len(part.indices) / stages.seconds["test"]}


def _metrics(trial: Trial, task: Any) -> list[str]:
    return list(trial.task["parameters"].get("metrics") or [task.METRIC])


def _is_device_oom(error: BaseException) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError)


def _synchroniser(device: Any) -> Callable[[], None]:
    if device.type != "cuda":
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)


def _release(device: Any) -> None:
    import gc

    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
