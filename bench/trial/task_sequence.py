"""A task learnt after another: the weights it starts from, what it gains by them, and what is left of the first.

The first task is learnt by the same regime with the same seed, at its largest size, from clean labels. Its weights and
score are computed once for all trials that follow it, and so is each trial's own score without it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import plugins
from bench.errors import Diverged, NotApplicable
from bench.suite.trial import Json, Trial
from bench.training import starting_weights
from bench.training.job import Adapted, Job, Part
from bench.trial import evaluation

VERSION = 1
SCORES = "scores.json"
Build = Callable[[Trial], Job]


def begin(job: Job, build: Build) -> Path:
    """Have the job start from the weights that the first task left, which lie in the folder returned. Raises what
    learning it raises."""
    first = first_of(job.trial)

    def learn(target: Path) -> Json:
        try:
            return _learn(build(first), target, keep=True)
        except (Diverged, NotApplicable) as error:
            raise type(error)(f"on {first.names.task}, which comes first: {error}") from error

    job.start = job.shared("after", "start", _key(job, first), learn)
    return job.start


def measure(job: Job, adapted: Adapted, before: Path, build: Build) -> Json:
    """What the first task gave and lost: {"task": its name, "metric": the one it is compared by, "before", "after": its
    scores right after it was learnt and now, under the head it then had, "without": the second task's scores without
    it}. before: from `begin`."""
    first, alone = first_of(job.trial), alone_of(job.trial)
    with job.stages.stage("left"):
        asked = build(first)
        model = asked.model(pretrained=True)
        model.load_state_dict(starting_weights.read(before)["head"], strict=False)
        starting_weights.place(model.backbone, starting_weights.state_of(adapted.backbone))
        after = _scores(asked, lambda part: asked.objective.answer(asked, model.eval(), part))
    without = job.shared("without", "scores", _key(job, alone), lambda target: _learn(build(alone), target, keep=False))
    return {
        "task": first.names.task,
        "metric": next(iter(after)),
        "before": json.loads((before / SCORES).read_text()),
        "after": after,
        "without": json.loads((without / SCORES).read_text()),
    }


def first_of(trial: Trial) -> Trial:
    """The trial on the first task."""
    after = trial.locations["after"]
    return dataclasses.replace(
        trial,
        **trial.regime["after"],
        noise=0.0,
        purpose="reported",
        locations={"model": trial.locations["model"], "data": after["data"], "also_test": after.get("also_test", {})},
        names=dataclasses.replace(trial.names, task=after["name"]),
    )


def alone_of(trial: Trial) -> Trial:
    """The same trial without a task before it."""
    regime = trial.regime.copy()
    regime.pop("after", None)
    regime.pop("forgetting", None)
    return dataclasses.replace(trial, regime=regime)


def _learn(job: Job, target: Path, keep: bool) -> Json:
    """Adapt and score; with `keep` also keep the backbone and what stands on it."""
    module = plugins.load("regimes", job.trial.regime["kind"])
    adapted: Adapted = module.adapt(job, module.Parameters.model_validate(job.trial.regime["parameters"]))
    (target / SCORES).write_text(json.dumps(_scores(job, adapted.predict)))
    assert job.fit is not None
    assert adapted.model is not None
    if keep:
        state = adapted.model.state_dict()
        head = {name: value.cpu() for name, value in state.items() if not name.startswith("backbone.")}
        starting_weights.write(target, {"head": head, **starting_weights.state_of(adapted.backbone)})
    facts = {"steps": job.fit.steps, "flops": job.fit.flops, "train": job.stages.seconds["train"]}
    return {"seconds": job.stages.total() + job.shared_seconds, "notes": [], **facts}


def _scores(job: Job, predict: Callable[[Part], Any]) -> Json:
    part = job.parts["test"]
    metrics = evaluation.metrics_of(job.trial, job.task)
    return evaluation.scores(job.task, metrics, job.objective.targets(job, part), predict(part))


def _key(job: Job, trial: Trial) -> Json:
    return {"version": VERSION, "trial": trial.id, "environment": job.environment, "micro_batch": job.micro_batch}
