"""Pretraining that goes on with a task's own text, without its labels (Gururangan et al. 2020)."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.contracts import Context
from bench.data.seeding import stream
from bench.errors import NotApplicable
from bench.modeling.encoding.arrays import IGNORE_INDEX, Tokens, offsets_of, send
from bench.modeling.encoding.text import tokenise
from bench.modeling.models.loading import building, from_files, require, set_dropout
from bench.modeling.prompts.conversations import Turn
from bench.private_api import leave_masks_unread
from bench.probes.heartbeat import working
from bench.probes.ledger import Ledger
from bench.suite.parameters import Budget, Training
from bench.suite.trial import Json
from bench.training import starting_weights
from bench.training.loop import train
from bench.training.loss import Goal
from bench.training.pretraining.masking import AtPositions, counts, mask
from bench.training.pretraining.small_model import Logits
from bench.training.sampler import endless
from bench.training.shared import shared

VERSION = 1
SEED = 0
"""Of which tokens are hidden, of the batches' order and of dropout: all trials share what this training gave."""
LENGTH = 256
"""Tokens of a text, where the task does not say."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """rate: what fraction of tokens is hidden; steps, where given, win over epochs."""

    objective: Literal["masked-lm", "causal-lm"]
    epochs: float
    steps: int | None
    learning_rate: float
    batch_size: int
    rate: float


def continued(context: Context, ledger: Ledger, settings: Settings) -> Path:
    """The folder with the weights, computed once for a model, a task, these settings and an environment, from where
    the trial starts: from the pretrained weights or those at `context.start`.

    Raises NotApplicable where the model has no such objective, and Diverged.
    """
    training = context.training.model_copy(update={"batch_size": settings.batch_size})
    if context.trial.limits:  # a smoke run
        settings = dataclasses.replace(settings, steps=context.trial.budget["steps"])
    key = {
        "version": VERSION, "model": context.trial.model, "task": context.trial.task, "limits": context.trial.limits,
        "settings": dataclasses.asdict(settings), "environment": context.environment,
        "training": training.model_dump(mode="json", exclude={"evaluation_batch_size"}),
        "start": context.start.name if context.start else None,
    }  # fmt: skip
    return shared(
        context, ledger, "pretraining", "start", key,
        lambda target: _pretrain(context, ledger, settings, training, target),
    )  # fmt: skip


def texts(context: Context) -> list[str]:
    """Every input of the training split, in the label budget or not."""
    return texts_of(context.examples("train").inputs)


def texts_of(inputs: Iterable[Any]) -> list[str]:
    """Inputs as one text each; the parts of one are joined by spaces."""
    return [" ".join(_parts(value)) for value in inputs]


def _parts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Turn):
        yield value.content
    elif isinstance(value, Iterable):
        for part in value:
            yield from _parts(part)


def _pretrain(context: Context, ledger: Ledger, settings: Settings, training: Training, target: Path) -> Json:
    begun = time.perf_counter()
    model, notes = _model(context, settings)
    limit = context.parameters.most_tokens() or LENGTH
    masked = settings.objective == "masked-lm"
    with working(lambda: context.tick("tokenise", 0, None)):
        tokens = _long(tokenise(context.folder, texts(context), limit), 3 if masked else 2)
    asked: nn.Module = AtPositions(model) if masked else Logits(model)
    count, size = len(tokens.lengths), training.batch_size
    steps = settings.steps or math.ceil(settings.epochs * math.ceil(count / size))
    copies = math.ceil(steps * size / count)
    goal = _masked_goal(context, tokens, settings.rate, copies) if masked else _causal_goal(context, tokens)
    torch.manual_seed(stream(SEED, "dropout"))
    fit = train(
        asked.to(context.device), goal, endless(goal.lengths, size, stream(SEED, "order")),
        budget=Budget(steps=steps), training=training, learning_rate=settings.learning_rate,
        micro_batch=max(1, size * context.micro_batch // context.training.batch_size), device=context.device,
        tick=context.progress("pretraining"), guard=ledger.guard,
    )  # fmt: skip
    starting_weights.write(target, starting_weights.state_of(model))
    few = max(1, len(fit.losses) // 10)
    ends = [float(np.mean(fit.losses[:few])), float(np.mean(fit.losses[-few:]))]
    return {"seconds": time.perf_counter() - begun, "notes": notes, "steps": fit.steps, "flops": fit.flops,
            "examples": count, "tokens": fit.tokens, "loss": ends}  # fmt: skip


def _model(context: Context, settings: Settings) -> tuple[Any, list[str]]:
    """The model with its language-modelling head, in fp32, from where the trial starts; and remarks on it."""
    import transformers

    auto, known = {
        "masked-lm": (transformers.AutoModelForMaskedLM, transformers.MODEL_FOR_MASKED_LM_MAPPING),
        "causal-lm": (transformers.AutoModelForCausalLM, transformers.MODEL_FOR_CAUSAL_LM_MAPPING),
    }[settings.objective]
    parameters = context.trial.model["parameters"]
    trust = parameters.get("trust_remote_code", False)
    options = {"local_files_only": True, "trust_remote_code": trust}
    leave_masks_unread()
    torch.manual_seed(stream(SEED, "initialisation"))
    with building(context.folder):
        config = transformers.AutoConfig.from_pretrained(context.folder, **options)
        if type(config) not in known and auto.__name__ not in (getattr(config, "auto_map", None) or {}):
            raise NotApplicable(f"there is no {settings.objective} objective for a {config.model_type}")
        if settings.objective == "masked-lm" and context.features.tokenizer.mask_token is None:
            raise NotApplicable("the model's tokenizer has no mask token")
        if context.training.dropout is not None:
            set_dropout(config, context.training.dropout)
        config.use_cache = False
    model, gaps = from_files(auto, context.folder, config=config, dtype="float32", trust_remote_code=trust)
    require(context.folder, model, gaps, model.base_model, parameters.get("allow_missing", ()))
    if context.start is not None:
        starting_weights.place(model, starting_weights.read(context.start))
    lacking = sorted(gaps)
    return model, [f"continued pretraining began with a random head ({lacking[0]})"] if lacking else []


def _long(tokens: Tokens, least: int) -> Tokens:
    """The texts of at least so many tokens. Raises NotApplicable where there are none."""
    long = np.flatnonzero(tokens.lengths >= least)
    if not len(long):
        raise NotApplicable("the task has no text of several tokens to go on pretraining with")
    return _chosen(tokens, long)


def _chosen(tokens: Tokens, rows: np.ndarray) -> Tokens:
    spans = [slice(tokens.offsets[row], tokens.offsets[row + 1]) for row in rows]
    flat = [None if array is None else np.concatenate([array[span] for span in spans])
            for array in (tokens.ids, tokens.types)]  # fmt: skip
    offsets = offsets_of(tokens.lengths[rows])
    return Tokens(flat[0], flat[1], offsets, tokens.pad)  # type: ignore[arg-type]


def _masked_goal(context: Context, tokens: Tokens, rate: float, copies: int) -> Goal:
    """Mean cross-entropy over hidden tokens, other ones each time a text comes by."""
    lengths, tokenizer = np.tile(tokens.lengths, copies), context.features.tokenizer

    def loss(model: nn.Module, rows: np.ndarray) -> Tensor:
        generator = np.random.Generator(np.random.PCG64([SEED, *rows.tolist()]))
        hidden = mask(_chosen(tokens, rows % len(tokens.lengths)), rate, 1, tokenizer, generator)
        logits = model(hidden.batch(np.arange(len(rows)), context.device))
        return _sum(logits, send(torch.from_numpy(hidden.labels), context.device))

    return Goal(loss, counts(lengths, rate), lengths)


def _causal_goal(context: Context, tokens: Tokens) -> Goal:
    """Mean cross-entropy over tokens, each given those before it."""

    def loss(model: nn.Module, rows: np.ndarray) -> Tensor:
        batch = tokens.batch(rows, context.device)
        wanted = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORE_INDEX)
        return _sum(model(batch)[:, :-1], wanted[:, 1:])

    return Goal(loss, tokens.lengths - 1, tokens.lengths)


def _sum(logits: Tensor, wanted: Tensor) -> Tensor:
    return cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
