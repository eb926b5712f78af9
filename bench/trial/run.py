"""One trial, from load to record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import plugins
from bench.errors import Diverged, ModelError, NotApplicable
from bench.modeling.models.facts import Facts
from bench.probes import clock, environment
from bench.probes import flops as flop_probe
from bench.probes.clock import Stages
from bench.probes.energy import Energy
from bench.probes.guard import Guard, is_device_full, is_host_full
from bench.probes.memory import PeakMemory, release
from bench.store import paths
from bench.store.results_folder import Home
from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial
from bench.training.checkpoint import Checkpoint, until_it_ends
from bench.training.job import Adapted, Job, Part, Tick
from bench.training.state import Fit
from bench.trial import also_test, evaluation, forgetting, task_data, task_sequence, unknown_tokens
from bench.trial.parts import parts_of


def run(order: Json, device: Any, threads: int, tick: Tick, record: Json) -> None:
    """Run the trial `order["trial"]` and fill `record` as far as it gets.

    order: {"trial", "attempt", "results": folder of the suite's results, "home": its device and inode, where they are
    to be the same still, "files": the model's config files, "checkpoint": seconds between two checkpoints, 300 where it
    is not said, None for no checkpoints}
    Raises what went wrong; `status_of` names it.
    """
    trial = Trial.from_json(order["trial"])
    training = Training.model_validate(trial.training or {})
    if not _is_local(trial):  # a device that idles meanwhile would tell of its memory and energy
        import torch

        device = torch.device("cpu")
    guard = Guard(order.get("remarks", ()))
    record["started"] = datetime.now(UTC).isoformat(timespec="seconds")
    record["environment"] = environment.describe(device, threads, training.precision, guard)
    halved, energy = 0, Energy(device, guard)
    try:
        with until_it_ends(paths.checkpoints(Path(order["results"]), trial.id)):
            while True:
                try:
                    _attempt(trial, order, device, energy, guard, halved, tick, record)
                    return
                except Exception as error:
                    if not is_device_full(error) or max(_batches(training, halved)) == 1:
                        raise
                halved += 1
                micro_batch = _batches(training, halved)[0]
                note = f"device out of memory: micro-batch halved to {micro_batch}, effective batch kept"
                record["facts"] = {"notes": [note]}
                release(device)
    finally:
        if guard.notes:
            facts = record.setdefault("facts", {})
            facts["notes"] = [*facts.get("notes", []), *guard.notes]


def status_of(error: BaseException) -> str:
    """The status of a trial that ended in this exception."""
    if isinstance(error, NotApplicable):
        return "not_applicable"
    if isinstance(error, Diverged):
        return "diverged"
    if is_device_full(error):
        return "oom_device"
    return "oom_host" if is_host_full(error) else "failed"


def _attempt(
    trial: Trial, order: Json, device: Any, energy: Energy, guard: Guard, halved: int, tick: Tick, record: Json
) -> None:
    """One try with batches halved so often. What is known of its costs is in `record` however it ends."""
    stages, memory = Stages(_synchroniser(device), energy.joules), PeakMemory(device, guard)
    costs: Json = {"seconds": stages.seconds, "memory_bytes": memory.found}
    record["costs"] = costs
    shared = 0.0

    def build(other: Trial) -> Job:  # of which nothing is measured but its time
        clock, about = Stages(stages.synchronise), {"environment": record["environment"]}
        return _job(other, order, device, clock, PeakMemory(device, guard), halved, tick, about, guard)

    try:
        with memory.stage("load"):
            job = _job(trial, order, device, stages, memory, halved, tick, record, guard)
        try:
            _measure(job, order, record, build)
        finally:
            shared = job.shared_seconds
            if job.apart:
                costs["shared"] = job.apart
            if job.checkpoint is not None and job.checkpoint.resumed:
                record["facts"]["resumed"] = job.checkpoint.resumed
    finally:
        costs["seconds"] = {**stages.seconds, "total": stages.total() + shared}
        if stages.joules:
            costs["energy_joules"] = stages.joules


def _job(
    trial: Trial, order: Json, device: Any, stages: Stages, memory: PeakMemory, halved: int, tick: Tick,
    record: Json, guard: Guard | None = None,
) -> Job:  # fmt: skip
    source = plugins.load("model_sources", trial.model["source"])
    with stages.stage("load"):
        tick("load", 0, None)
        origin = source.Parameters.model_validate(trial.model["parameters"] | trial.locations["model"])
        folder = source.fetch(origin, trial.model["fingerprint"])
        also = trial.locations.get("also_test", {})
        found = task_data.load(trial.task, trial.locations["data"], trial.limits, also=also)
    task, parameters = task_data.task_of(trial.task)
    labels = parameters.words()
    classes = len(labels) if plugins.load("objectives", task.OBJECTIVE).TARGETS == "classes" else 0
    parts = parts_of(trial, found, classes)
    notes = list(record.get("facts", {}).get("notes", []))
    for name in ("train", "test") if classes and trial.size != 0 else ("test",) if classes else ():
        if missing := classes - len(np.unique(parts[name].labels)):
            notes.append(f"{missing} of {classes} classes have no {name} example")
    if found.dropped:
        tested = "the test split or a further test set" if "also_test" in trial.task else "the test split"
        notes.append(f"{found.dropped} examples that also stand in {tested} were left out of training")
    record["facts"] = {
        "train_examples": len(parts["train"].indices),
        "validation_examples": len(parts["validation"].indices),
        "test_examples": len(parts["test"].indices),
        "noisy_labels": sum(p.wrong for p in parts.values()),
        "notes": notes,
    }  # fmt: skip
    record["scores"] = {"metric": evaluation.metrics_of(trial, task)[0]}
    environment_id, every = record["environment"]["id"], order.get("checkpoint", 300.0)
    micro_batch, evaluation_batch = _batches(Training.model_validate(trial.training or {}), halved)
    key = {"trial": trial.id, "environment": environment_id, "micro_batch": micro_batch}
    own = order["trial"]["id"]
    place = paths.checkpoints(Path(order["results"]), own, *([] if trial.id == own else [trial.id]))
    return Job(
        trial=trial, facts=Facts.from_files(order["files"]), folder=folder, device=device, task=task,
        parameters=parameters, labels=labels, majority=int(np.bincount(found.labels["train"]).argmax()),
        examples=found.examples, rows=found.rows, parts=parts,
        environment=environment_id, stages=stages, memory=memory,
        micro_batch=micro_batch, evaluation_batch=evaluation_batch,
        checkpoint=None if every is None else Checkpoint(place, key, every, stages, memory, notes, _home(order)),
        tick=tick, guard=guard or Guard(), notes=notes,
        intact=partial(_intact, source, origin, trial.model["fingerprint"]),
    )  # fmt: skip


def _intact(source: Any, parameters: Any, locked: str) -> None:
    """Raise ModelError where a model's files are no more those that were locked."""
    if source.fingerprint(parameters) not in (None, locked):
        raise ModelError(
            f"{parameters.folder}: the model's files have changed since they were locked; put them back and run again, "
            "or accept them with `bench lock SUITE --update`"
        )


def _measure(job: Job, order: Json, record: Json, build: Callable[[Trial], Job]) -> None:
    """Adapt, score, time. Everything known is in `record` at once, so that a failure keeps it."""
    trial, costs, scores = job.trial, record["costs"], record["scores"]
    module = plugins.load("regimes", trial.regime["kind"])
    metrics = evaluation.metrics_of(trial, job.task)
    before = task_sequence.begin(job, build) if "after" in trial.regime else None
    with job.memory.stage("train"):
        adapted: Adapted = module.adapt(job, module.Parameters.model_validate(trial.regime["parameters"]))
    if "train" not in job.stages.seconds:  # nothing was trained: what loading took is no training's memory
        job.memory.forget("train")
    _adapted(job, adapted, record)
    job.notes += job.guard("how many texts were cut", job.cut, [])
    artifact: Json = {"curve": {"losses": job.fit.losses, "validations": job.fit.validations} if job.fit else {}}
    with job.memory.stage("inference"):
        if len(job.parts["validation"].indices) and _is_local(trial):  # nothing is tuned, and each question costs
            answers, targets = _predict(job, adapted, "validation")
            scores["validation"] = evaluation.scores(job.task, metrics, targets, answers)
            doubt = job.guard("the log-loss", lambda: job.objective.doubt(targets, answers))
            if doubt is not None:
                scores["validation"]["log_loss"] = doubt
        if trial.purpose == "reported":
            part = job.parts["test"]
            encoded = module.LABELS and _is_local(trial) and ("way" not in trial.regime or not job.objective.POOLED)
            if encoded:
                job.encoded(part.split)  # tokenising is a stage of its own
            answers, targets = _predict(job, adapted, "test")
            scores["test"] = evaluation.scores(job.task, metrics, targets, answers)
            scores |= job.guard("the metrics' signatures", lambda: evaluation.signatures(metrics), {})
            if len(answers) > 1:
                scores["templates"] = evaluation.by_template(metrics, targets, answers)
            artifact["predictions"] = evaluation.predictions(job, metrics[0], part, targets, answers)
            inference = adapted.costs.get("inference") or job.guard(
                "what inference cost", lambda: _inference(job, adapted, part, job.stages)
            )
            if inference is not None:
                costs["inference"] = inference
            artifact["also_test"] = also_test.measure(job, adapted, metrics, record, encoded=encoded)
            costs |= adapted.costs
            record["facts"] |= adapted.facts | ({"decoding": job.decoding} if job.decoding else {})
    if trial.purpose == "reported":  # out of what is measured: nobody's memory
        scores["baselines"] = evaluation.baselines(job, metrics, part)
        if also := {name: job.parts[split] for name, split in also_test.splits(trial.task)}:
            scores["also_test_baselines"] = {n: evaluation.baselines(job, metrics, other) for n, other in also.items()}
        if _is_local(trial):
            job.notes += job.guard("which tokens are unknown", lambda: unknown_tokens.remarks(job), [])
    job.intact()  # weights may be read, page by page, as late as they are needed
    with job.stages.stage("save"):
        if (home := _home(order)) is not None:
            home.check()
        evaluation.save(paths.artifacts(Path(order["results"]), trial.id, order["attempt"]), artifact)
    if trial.purpose == "reported" and before is not None:
        scores["after"] = task_sequence.measure(job, adapted, before, build)
    if (
        trial.purpose == "reported"
        and "forgetting" in trial.regime
        and job.objective.POOLED
        and adapted.backbone is not None
    ):
        with job.stages.stage("forgetting"):
            scores["forgetting"] = forgetting.measure(job, adapted.backbone, trial.locations["forgetting"])


def _home(order: Json) -> Home | None:
    return Home(Path(order["results"]), *order["home"]) if "home" in order else None


def _predict(job: Job, adapted: Adapted, name: str) -> tuple[Any, Any]:
    """Answers to a part, [templates][n], timed as the stage of its name, and what they are judged by, [n]."""
    with job.stages.stage(name):
        found = adapted.predict(job.parts[name])
    job.charge(name, job.parts[name])
    judged = "test" if job.trial.purpose == "reported" else "validation"
    if name == judged and job.guard("whether all answers are alike", lambda: job.objective.constant(found)):
        job.notes.append(f"every {name} example got the same answer")
    return found, job.objective.targets(job, job.parts[name])


def _adapted(job: Job, adapted: Adapted, record: Json) -> None:
    costs, facts = record["costs"], record["facts"]
    if adapted.total is not None:
        costs["parameters"] = {"total": adapted.total, "trainable": adapted.trainable}
    if adapted.stored_bytes is not None:
        costs["stored_bytes"] = adapted.stored_bytes
    if job.fit is not None:
        fit, name = job.fit, record["environment"]["device"]
        costs |= job.guard("what training cost", lambda: _training(job, fit, name), {})
    way = job.trial.regime.get("way")
    if way is None and job.objective.POOLED:
        facts["pooling"] = job.pooling
    if way is not None:
        facts["method"] = way
        facts |= _asked(job, plugins.load("zeroshot", way))
    if job.shots:
        facts["shots"] = len(job.shots)


def _asked(job: Job, way: Any) -> Json:
    """What the model was asked with: templates, defaults too, and label words, or what the way says."""
    if hasattr(way, "used"):
        found: Json = way.used(job)
        return found
    templates = list(getattr(job.parameters, "templates", ()) or way.TEMPLATES) if way.TEMPLATES else []
    return ({"templates": templates} if templates else {}) | ({"labels": job.labels} if job.labels else {})


def _training(job: Job, fit: Fit, device: str) -> Json:
    """What training cost; without what could not be measured."""
    costs: Json = {"steps": fit.steps, "step_seconds": fit.times.summary()}
    took = job.stages.seconds["train"]
    costs["examples_per_second"] = fit.examples / took
    costs["tokens_per_second"] = fit.tokens / took
    if fit.flops is not None:
        costs["flops"] = {"train": fit.flops, "per_step": fit.flops / fit.steps}
        peak = job.guard("the device's peak FLOP/s", lambda: flop_probe.peak(device))
        if peak is not None and job.training.precision == "bf16" and costs["step_seconds"]:
            costs["flops"]["utilisation"] = costs["flops"]["per_step"] / costs["step_seconds"]["median"] / peak
    size = job.training.batch_size
    costs["batch"] = {"size": size, "micro": min(job.micro_batch, size), "accumulation": -(-size // job.micro_batch)}
    costs["probe_fraction"] = fit.times.own_seconds / took
    return costs


def _inference(job: Job, adapted: Adapted, part: Part, stages: Stages) -> Json:
    """Seconds of one answer (median of a few), and examples per second of the whole test pass, with all templates;
    without what could not be measured.

    One answer is by one template, to an example that is tokens or pixels already (`Job.one_answer`); features are
    cached, so a probe is charged what its backbone took.
    """
    found = {"examples_per_second": len(part.indices) / stages.seconds["test"]}
    if job.tokens_written:
        found["tokens_per_second"] = job.tokens_written / stages.seconds["test"]

    def measure() -> float:
        first = Part(part.split, part.indices[:1], part.labels[:1])
        one = job.objective.one(job, part) if hasattr(job.objective, "one") else first
        with job.one_answer():
            return clock.latency(lambda: adapted.predict(one), stages.synchronise)

    latency = job.feature_latency if job.on_features else job.guard("the latency", measure)
    return ({} if latency is None else {"latency_seconds": latency}) | {"latency_templates": 1} | found


def _batches(training: Training, halved: int) -> tuple[int, int]:
    """Examples at a time: the micro-batch, and where nothing trains. Both are halved when the device is full."""
    return -(-training.batch_size // 2**halved), -(-training.evaluation_batch_size // 2**halved)


def _is_local(trial: Trial) -> bool:
    """Whether the model runs here, and not behind an endpoint."""
    return plugins.load("model_sources", trial.model["source"]).LOCAL  # type: ignore[no-any-return]


def _synchroniser(device: Any) -> Callable[[], None]:
    if device.type != "cuda":
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)
