"""Pretrains a small model by a recipe, with the same loop that everything else here is trained by."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.data.seeding import stream
from bench.errors import ModelError, did_you_mean
from bench.modeling.encoding import pixels as images
from bench.modeling.encoding import text
from bench.suite.parameters import Budget, Training
from bench.training.loop import train
from bench.training.loss import Collate, cross_entropy
from bench.training.pretraining import tokenizer_training
from bench.training.pretraining.latent_semantics import latent_semantics, start_from
from bench.training.pretraining.masking import AtPositions, mask
from bench.training.pretraining.recipes import Classification, MaskedLM, Recipe
from bench.training.sampler import endless

CPU = torch.device("cpu")


def masked_lm(recipe: MaskedLM, texts: Sequence[str], folder: Path) -> None:
    """Learn a tokenizer and a masked language model from texts; both go to `folder`. Raises ModelError."""
    import transformers

    tokenizer = tokenizer_training.learn(texts, recipe.vocabulary, recipe.max_length)
    tokenizer.save_pretrained(folder)
    own = {"vocab_size": len(tokenizer), "max_position_embeddings": recipe.max_length}
    config = _config(recipe.architecture, {**own, "pad_token_id": tokenizer.pad_token_id, **recipe.config})
    config.save_pretrained(folder)
    tokens = text.tokenise(folder, texts, recipe.max_length)
    generator = np.random.Generator(np.random.PCG64(stream(recipe.seed, "data")))
    masked = mask(tokens, recipe.mask, recipe.epochs, tokenizer, generator)
    torch.manual_seed(stream(recipe.seed, "initialisation"))
    model = transformers.AutoModelForMaskedLM.from_config(config)
    if recipe.embeddings == "lsa":
        start_from(model.get_input_embeddings().weight, latent_semantics(tokens, len(tokenizer), config.hidden_size))
    _fit(AtPositions(model), recipe, masked.labels, masked.lengths, lambda rows: masked.batch(rows, CPU), epochs=1)
    model.save_pretrained(folder)


def classification(
    recipe: Classification, pictures: Sequence[Any], labels: Sequence[int], names: Sequence[str], folder: Path
) -> None:
    """Learn to tell images apart; the model, its head and its image processor go to `folder`. Raises ModelError."""
    import tempfile

    import transformers

    size = {"height": recipe.image_size, "width": recipe.image_size}
    transformers.ViTImageProcessor(size=size).save_pretrained(folder)
    words = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    kinds = sorted(transformers.models.auto.modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)
    if recipe.architecture not in kinds:
        near = did_you_mean(recipe.architecture, kinds)
        raise ModelError(f"pretrain: transformers knows no image architecture '{recipe.architecture}'{near}")
    own = {"image_size": recipe.image_size} if "image_size" in _keys(recipe.architecture) else {}
    config = _config(recipe.architecture, {**own, **words, **recipe.config})
    torch.manual_seed(stream(recipe.seed, "initialisation"))
    try:
        model = transformers.AutoModelForImageClassification.from_config(config)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"pretrain: transformers cannot build this {recipe.architecture}: {error}") from error
    with tempfile.TemporaryDirectory() as scratch:
        images.resize(folder, pictures, Path(scratch))
        pixels = images.load(Path(scratch))
        targets = np.asarray(labels, dtype=np.int64)
        batch: Collate = lambda rows: pixels.batch(rows, CPU)  # noqa: E731
        _fit(Logits(model), recipe, targets, pixels.lengths, batch, epochs=recipe.epochs)
    model.save_pretrained(folder)


class Logits(nn.Module):
    """A model of transformers as the loop takes it: a batch in, logits out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits, [n, classes]."""
        logits: Tensor = self.model(**batch).logits
        return logits


def _fit(
    model: nn.Module, recipe: Recipe, labels: np.ndarray, lengths: np.ndarray, collate: Collate, *, epochs: int
) -> None:
    """On one thread: the weights must not depend on how many cores a machine has, and several would mostly wait for
    each other in steps as small as these (on busy cores they took ten times as long)."""
    torch.manual_seed(stream(recipe.seed, "dropout"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(
            model, cross_entropy(collate, labels, lengths, CPU),
            endless(lengths, recipe.batch_size, stream(recipe.seed, "order")),
            budget=Budget(epochs=epochs, min_steps=1), training=Training(batch_size=recipe.batch_size),
            learning_rate=recipe.learning_rate, micro_batch=recipe.batch_size, device=CPU,
        )  # fmt: skip
    finally:
        torch.set_num_threads(threads)


def _keys(architecture: str) -> set[str]:
    """What an architecture's configuration takes."""
    from transformers import AutoConfig

    return {field.name for field in dataclasses.fields(AutoConfig.for_model(architecture))}


def _config(architecture: str, values: dict[str, Any]) -> Any:
    """Transformers' configuration of an architecture, which itself ignores keys that it does not know."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    known = _keys(architecture)
    for key in values:
        if key not in known:
            raise ModelError(f"pretrain: {architecture} has no `config` key '{key}'{did_you_mean(key, known)}")
    try:
        return AutoConfig.for_model(architecture, **values)
    except (StrictDataclassError, ValueError) as error:
        raise ModelError(f"pretrain: {architecture} refuses its `config`: {error}") from error
