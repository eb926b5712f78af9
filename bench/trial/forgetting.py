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

from bench import plugins
from bench.contracts import Context
from bench.errors import Diverged, NotApplicable
from bench.modeling.encoding.arrays import IGNORE_INDEX
from bench.modeling.inference import zero_shot
from bench.modeling.inference.label_scoring import LabelScoring
from bench.modeling.models.loading import tower
from bench.modeling.models.timm_models import classifier_names
from bench.modeling.prompts import fill_template
from bench.probes.ledger import Ledger
from bench.store.cache import cached
from bench.suite.trial import ForgettingSpec, Json
from bench.training.starting_weights import merged
from bench.trial import evaluation, task_data


def measure(context: Context, ledger: Ledger, backbone: nn.Module, locations: Json) -> Json:
    """{task: {metric: {"before": …, "after": …}}} for every task the trial names. What cannot be asked is a note."""
    found: Json = {}
    try:
        weights = merged(backbone).state_dict()
    except NotApplicable as error:
        ledger.note([f"forgetting cannot be measured: {error}"])
        return found
    for name, named in context.trial.regime["forgetting"].items():
        asked = task_data.load(named["task"], locations[name], context.trial.limits)
        try:
            after = _scores(context, ledger, named, asked, weights)
        except NotApplicable as error:
            ledger.note([f"forgetting of {name} cannot be measured: {error}"])
            continue
        key = {
            "model": context.trial.model,
            **named,
            "limits": context.trial.limits,
            "environment": context.environment,
        }

        def before(target: Path, named: ForgettingSpec = named, asked: task_data.TaskData = asked) -> None:
            scores = _scores(context, ledger, named, asked, None)
            context.intact()
            (target / "scores.json").write_text(json.dumps(scores))

        untouched = json.loads((cached("zero-shot", key, before) / "scores.json").read_text())
        found[name] = {metric: {"before": untouched[metric], "after": after[metric]} for metric in after}
    return found


def _scores(
    context: Context, ledger: Ledger, named: ForgettingSpec, asked: task_data.TaskData, weights: Json | None
) -> dict[str, float]:
    """The task's scores with the pretrained weights, or with a trained backbone's in their place."""
    kind, parameters = task_data.task_of(named["task"])
    way = plugins.load("zeroshot", named["way"])
    assert isinstance(way, LabelScoring)  # planning sees to that
    with ledger.stage("load"):
        loaded = way.load(context)
    if weights is not None:
        _replace(loaded.model, weights, kind.MODALITY)
    inputs, labels = asked.examples("test").inputs, asked.labels["test"]
    answers = way.ask(context, loaded, [inputs[i] for i in range(len(labels))], parameters)
    metrics = list(parameters.metrics) or [kind.METRIC]
    scores: dict[str, float] = evaluation.scores(plugins.load("objectives", kind.OBJECTIVE), metrics, labels, answers)
    if named["way"] in OBJECTIVES:
        texts = [fill_template.plain(text) for text in inputs]
        scores |= OBJECTIVES[named["way"]](loaded, texts, parameters.max_length, context)
    return scores


def _replace(model: Any, weights: Json, modality: str) -> None:
    target: Any = tower(model.base_model, model.config, modality)
    prefix = "" if hasattr(target, "config") else f"{model.base_model_prefix}."  # transformers' name of a timm model
    weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    result = target.load_state_dict(weights, strict=False)
    untouched = classifier_names(target)
    missing = [key for key in result.missing_keys if not key.startswith("pooler.") and key not in untouched]
    if missing:
        raise NotApplicable(f"its head's model has other weights than its backbone ({missing[0]})")


def _masked_lm_loss(loaded: zero_shot.Loaded, texts: list[str], max_length: int, context: Context) -> dict[str, float]:
    """Mean cross-entropy, in nats, of the 15 % of tokens that are masked: the same ones before and after."""
    from transformers import DataCollatorForLanguageModeling

    # transformers up to 5.17 at least takes a seed of 0 for none
    collator = DataCollatorForLanguageModeling(loaded.tokenizer, mlm_probability=0.15, seed=1)
    return {"masked_lm_loss": _token_loss(loaded, texts, max_length, context, collator, first=0)}


def _causal_lm_loss(loaded: zero_shot.Loaded, texts: list[str], max_length: int, context: Context) -> dict[str, float]:
    """Mean cross-entropy, in nats, of every token given those before it."""
    from transformers import DataCollatorForLanguageModeling

    collator = DataCollatorForLanguageModeling(loaded.tokenizer, mlm=False)
    return {"causal_lm_loss": _token_loss(loaded, texts, max_length, context, collator, first=1)}


OBJECTIVES = {"cloze": _masked_lm_loss, "likelihood": _causal_lm_loss}


def _token_loss(
    loaded: zero_shot.Loaded, texts: list[str], max_length: int, context: Context, collator: Any, *, first: int
) -> float:
    """The mean over the tokens that are asked for, from position `first` on."""
    size = context.evaluation_batch
    longest = loaded.length(max_length)
    total, count = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(texts), size):
            rows = [loaded.tokenizer(t, truncation=True, max_length=longest) for t in texts[start : start + size]]
            batch = {name: value.to(context.device) for name, value in collator(rows).items()}
            counted = int((batch["labels"][:, first:] != IGNORE_INDEX).sum())
            loss = float(loaded.model(**batch).loss)
            if counted and not np.isfinite(loss):
                raise Diverged(f"forgetting: the pretraining objective's loss is {loss}")
            if counted:
                total, count = total + loss * counted, count + counted
    return total / max(count, 1)
