"""A task learnt after another: the weights it starts from, what it gains by them, and what is left of the first.

The first task is learnt by the same regime with the same seed, at its largest size, from clean labels. Its weights and
score are computed once for all trials that follow it, and so is each trial's own score without it.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from bench.contracts import Adapted, Context, Predictions
from bench.errors import Diverged, NotApplicable
from bench.probes.ledger import Ledger
from bench.suite.trial import Json, Trial
from bench.training import starting_weights
from bench.training.build import build
from bench.training.shared import shared
from bench.trial import evaluation
from bench.trial.adapt import adapt
from bench.trial.attempt import Attempt
from bench.trial.setup import context_of

VERSION = 1
SCORES = "scores.json"


def begin(context: Context, ledger: Ledger, attempt: Attempt) -> Path:
    """The folder with the weights that the first task left, to start from. Raises what learning it raises."""
    first = first_of(context.trial)

    def learn(target: Path) -> Json:
        try:
            return _learn(first, attempt, target, keep=True)
        except (Diverged, NotApplicable) as error:
            raise type(error)(f"on {first.names.task}, which comes first: {error}") from error

    return shared(context, ledger, "after", "start", _key(context, first), learn)


def measure(context: Context, ledger: Ledger, attempt: Attempt, adapted: Adapted, before: Path) -> Json:
    """What the first task gave and lost: {"task": its name, "metric": the one it is compared by, "before", "after": its
    scores right after it was learnt and now, under the head it then had, "without": the second task's scores without
    it}. before: from `begin`."""
    first, alone = first_of(context.trial), alone_of(context.trial)
    with ledger.stage("left"):
        asked = context_of(first, attempt, attempt.ledger())
        model = build(asked, pretrained=True)
        model.load_state_dict(starting_weights.read(before)["head"], strict=False)
        starting_weights.place(model.backbone, starting_weights.state_of(adapted.backbone))
        after = _scores(asked, asked.objective.answer(asked, model.eval(), asked.parts["test"]))
    without = shared(
        context, ledger, "without", "scores", _key(context, alone),
        lambda target: _learn(alone, attempt, target, keep=False),
    )  # fmt: skip
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
        locations={"model": trial.locations["model"], "data": after["data"], "also_test": after.get("also_test", {})},
        names=dataclasses.replace(trial.names, task=after["name"]),
    )


def alone_of(trial: Trial) -> Trial:
    """The same trial without a task before it."""
    regime = trial.regime.copy()
    regime.pop("after", None)
    regime.pop("forgetting", None)
    return dataclasses.replace(trial, regime=regime)


def _learn(trial: Trial, attempt: Attempt, target: Path, keep: bool) -> Json:
    """Adapt and score; with `keep` also keep the backbone and what stands on it."""
    ledger = attempt.ledger()
    context = context_of(trial, attempt, ledger)
    adapted = adapt(context, ledger)
    (target / SCORES).write_text(json.dumps(_scores(context, adapted.predict(context.parts["test"]))))
    assert adapted.fit is not None
    assert adapted.model is not None
    if keep:
        state = adapted.model.state_dict()
        head = {name: value.cpu() for name, value in state.items() if not name.startswith("backbone.")}
        starting_weights.write(target, {"head": head, **starting_weights.state_of(adapted.backbone)})
    facts = {"steps": adapted.fit.steps, "flops": adapted.fit.flops, "train": ledger.stages.seconds["train"]}
    return {"seconds": ledger.seconds(), "notes": [], **facts}


def _scores(context: Context, found: Predictions) -> Json:
    metrics = context.metrics
    targets = context.objective.targets(context, context.parts["test"])
    return evaluation.scores(context.objective, metrics, targets, found.answers)


def _key(context: Context, trial: Trial) -> Json:
    return {
        "version": VERSION, "trial": trial.id, "environment": context.environment, "micro_batch": context.micro_batch,
    }  # fmt: skip
