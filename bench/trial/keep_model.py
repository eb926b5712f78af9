"""Does a trial once more and keeps its model: what `bench run --keep` orders once the results are in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.contracts import Context, Tick
from bench.errors import NotApplicable
from bench.probes import environment
from bench.probes.clock import Stages
from bench.probes.guard import Guard
from bench.probes.ledger import Ledger, synchroniser
from bench.store import atomic, paths
from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial
from bench.training.build import build
from bench.training.kept.write import write
from bench.trial import evaluation, task_sequence
from bench.trial.adapt import adapt
from bench.trial.attempt import Attempt
from bench.trial.setup import context_of


def keep(order: Json, device: Any, threads: int, tick: Tick) -> Json:
    """{"auto": the class of transformers that loads it, "score": of its test split, "metric"}.

    order: as a trial's, and "target": the name of the folder below the results' `models`, which is whole or absent.
    Raises NotApplicable where the regime trains no model or the model cannot be kept, and what the trial raises.
    """
    trial = Trial.from_json(order["trial"])
    precision = Training.model_validate(trial.training or {}).precision
    guard = Guard()
    described = environment.describe(device, threads, precision, guard)
    attempt = Attempt(order, device, described, 0, tick, guard)
    ledger = Ledger(device, Stages(synchroniser(device)), guard)
    context = context_of(trial, attempt, ledger)
    if "after" in trial.regime:
        context = context.starting_from(task_sequence.begin(context, ledger, attempt))
    adapted = adapt(context, ledger)
    metric, part = context.metrics[0], context.parts["test"]
    if adapted.model is not None:
        model, answers = adapted.model, adapted.predict(part).answers
    elif adapted.head is not None:
        model = _under(context, *adapted.head)
        answers = context.objective.answer(context, model, part).answers
    else:
        raise NotApplicable(f"{trial.names.regime}: it trains no model, so there is none to keep")
    score = evaluation.scores(context.objective, [metric], context.objective.targets(context, part), answers)[metric]
    target = paths.model(Path(order["results"]), order["target"])
    with atomic.folder(target) as folder:
        auto = write(folder, context, model)
        atomic.write_json(folder / "kept.json", {**order["about"], "auto": auto, "metric": metric, "score": score})
    return {"auto": auto, "metric": metric, "score": score}


def _under(context: Context, weights: np.ndarray, biases: np.ndarray) -> Any:
    """The frozen backbone under a head that was solved on its features."""
    model = build(context, pretrained=True, frozen=True).eval()
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(weights))
        model.head.bias.copy_(torch.from_numpy(biases))
    return model
