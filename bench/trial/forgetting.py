"""What training a model for one task cost it elsewhere: zero-shot scores on named tasks, before and after.

Where the model has a language-modelling head the text of those tasks also gives its pretraining objective's loss. The
trained backbone is put under the pretrained head, which itself did not train.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.errors import Diverged, NotApplicable
from bench.modeling.inference import zero_shot
from bench.modeling.models.loading import tower
from bench.modeling.prompts import fill_template
from bench.store.cache import cached
from bench.suite.trial import ForgettingSpec, Json
from bench.training.job import Job
from bench.training.starting_weights import merged
from bench.trial import evaluation, task_data


def measure(job: Job, backbone: nn.Module, locations: Json) -> Json:
    """{task: {metric: {"before": …, "after": …}}} for every task the trial names. What cannot be asked is a note."""
    found: Json = {}
    try:
        weights = merged(backbone).state_dict()
    except NotApplicable as error:
        job.notes.append(f"forgetting cannot be measured: {error}")
        return found
    for name, named in job.trial.regime["forgetting"].items():
        asked = task_data.load(named["task"], locations[name], job.trial.limits)
        try:
            after = _scores(job, named, asked, weights)
        except NotApplicable as error:
            job.notes.append(f"forgetting of {name} cannot be measured: {error}")
            continue
        key = {"model": job.trial.model, **named, "limits": job.trial.limits, "environment": job.environment}

        def before(target: Path, named: ForgettingSpec = named, asked: task_data.Material = asked) -> None:
            scores = _scores(job, named, asked, None)
            job.intact()
            (target / "scores.json").write_text(json.dumps(scores))

        untouched = json.loads((cached("zero-shot", key, before) / "scores.json").read_text())
        found[name] = {metric: {"before": untouched[metric], "after": after[metric]} for metric in after}
    return found


def _scores(job: Job, named: ForgettingSpec, asked: task_data.Material, weights: Json | None) -> dict[str, float]:
    """The task's scores with the pretrained weights, or with a trained backbone's in their place."""
    kind, parameters = task_data.task_of(named["task"])
    loaded = job.whole_model(named["way"])
    if weights is not None:
        _replace(loaded.model, weights, kind.MODALITY)
    inputs, labels = asked.examples("test").inputs, asked.labels["test"]
    answers = job.ask(named["way"], loaded, [inputs[i] for i in range(len(labels))], parameters)
    scores: dict[str, float] = evaluation.scores(kind, list(parameters.metrics) or [kind.METRIC], labels, answers)
    if named["way"] in OBJECTIVES:
        texts = [fill_template.plain(text) for text in inputs]
        scores |= OBJECTIVES[named["way"]](loaded, texts, parameters.max_length, job)
    return scores


def _replace(model: Any, weights: Json, modality: str) -> None:
    target = tower(model.base_model, model.config, modality)
    result = target.load_state_dict(weights, strict=False)
    missing = [key for key in result.missing_keys if not key.startswith("pooler.")]  # what no training touched
    if missing:
        raise NotApplicable(f"its head's model has other weights than its backbone ({missing[0]})")


def _masked_lm_loss(loaded: zero_shot.Loaded, texts: list[str], max_length: int, job: Job) -> dict[str, float]:
    """Mean cross-entropy, in nats, of the 15 % of tokens that are masked: the same ones before and after."""
    from transformers import DataCollatorForLanguageModeling

    # transformers up to 5.17 at least takes a seed of 0 for none
    collator = DataCollatorForLanguageModeling(loaded.tokenizer, mlm_probability=0.15, seed=1)
    return {"masked_lm_loss": _token_loss(loaded, texts, max_length, job, collator, first=0)}


def _causal_lm_loss(loaded: zero_shot.Loaded, texts: list[str], max_length: int, job: Job) -> dict[str, float]:
    """Mean cross-entropy, in nats, of every token given those before it."""
    from transformers import DataCollatorForLanguageModeling

    collator = DataCollatorForLanguageModeling(loaded.tokenizer, mlm=False)
    return {"causal_lm_loss": _token_loss(loaded, texts, max_length, job, collator, first=1)}


OBJECTIVES = {"cloze": _masked_lm_loss, "likelihood": _causal_lm_loss}


def _token_loss(
    loaded: zero_shot.Loaded, texts: list[str], max_length: int, job: Job, collator: Any, *, first: int
) -> float:
    """The mean over the tokens that are asked for, from position `first` on."""
    size = job.evaluation_batch
    longest = loaded.length(max_length)
    total, count = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(texts), size):
            rows = [loaded.tokenizer(t, truncation=True, max_length=longest) for t in texts[start : start + size]]
            batch = {name: value.to(job.device) for name, value in collator(rows).items()}
            counted = int((batch["labels"][:, first:] != -100).sum())
            loss = float(loaded.model(**batch).loss)
            if counted and not np.isfinite(loss):
                raise Diverged(f"forgetting: the pretraining objective's loss is {loss}")
            if counted:
                total, count = total + loss * counted, count + counted
    return total / max(count, 1)
