"""A model of text with random weights, of any architecture, with the tokenizer of a Hub repository: `{random: {…}}`.

It costs nothing to get and knows nothing: good for trying a suite, or as the floor that pretraining is measured from.
It is never asked to answer without training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from bench.contracts import ModelSource
from bench.errors import ModelError, did_you_mean
from bench.hub.client import HubId, Revision
from bench.model_sources import hub
from bench.modeling.models.files import configs
from bench.store.cache import cached
from bench.suite.parameters import ModelParameters, Strict
from bench.suite.trial import digest

TOKENIZER = ("*.json", "*.txt", "*.model", "*.spm", "*.jinja", "*.tiktoken")


class Recipe(Strict):
    """What is to be built."""

    architecture: str = Field(description="transformers' model type: bert, gpt2, t5, marian, …")
    tokenizer: HubId
    config: dict[str, bool | int | float | str | None] = Field(
        default={}, description="sizes of the architecture, by transformers' own names (hidden_size, …)"
    )
    seed: Annotated[int, Field(ge=0)] = 0


class RandomParameters(ModelParameters):
    """The recipe, and which revision of the tokenizer."""

    random: Recipe = Field(description="the architecture, and its tokenizer")
    revision: Revision = "main"


class RandomModels(ModelSource[RandomParameters]):
    """Models with random weights, known by recipe and tokenizer."""

    VERSION = 1
    Parameters = RandomParameters

    def lock(self, parameters: RandomParameters) -> dict[str, Any]:
        """Return the tokenizer's commit followed by a hash of the recipe, and the config files.

        Raises ModelError, HubError.
        """
        commit = hub.snapshot(parameters.random.tokenizer, parameters.revision, TOKENIZER).name
        found = commit + digest({"version": self.VERSION, "recipe": parameters.random.model_dump(mode="json")}, 24)
        return {"fingerprint": found, "files": configs(self.fetch(parameters, found), "with random weights")}

    def fetch(self, parameters: RandomParameters, fingerprint: str) -> Path:
        """Return the folder of the model; builds it where the cache does not have it. Raises ModelError, HubError."""
        return cached(
            "random", {"fingerprint": fingerprint}, lambda to: _build(parameters.random, fingerprint[:40], to)
        )


def _build(recipe: Recipe, commit: str, folder: Path) -> None:
    import torch
    import transformers

    from bench.modeling.encoding.text import tokenizer_for

    tokenizer = tokenizer_for(hub.snapshot(recipe.tokenizer, commit, TOKENIZER))
    tokenizer.save_pretrained(folder)
    config = _config(recipe, tokenizer)
    torch.manual_seed(recipe.seed)
    try:
        _auto(transformers, config).from_config(config).save_pretrained(folder)
    except (ValueError, RuntimeError, IndexError) as error:
        raise ModelError(f"random: transformers cannot build this {recipe.architecture}: {error}") from error


def _config(recipe: Recipe, tokenizer: Any) -> Any:
    """The architecture's configuration, as large and with such special tokens as the tokenizer has.

    `random_weights` in it tells `Facts` what the model is.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
    special = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "eos_token_id": end,
               "bos_token_id": first, "forced_eos_token_id": None}  # fmt: skip
    try:
        plain = AutoConfig.for_model(recipe.architecture)
        known = {*plain.to_dict(), *plain.attribute_map}
        for key in recipe.config:
            if key not in known:
                raise ModelError(f"random: {recipe.architecture} has no `config` key '{key}'{did_you_mean(key, known)}")
        own = {key: value for key, value in special.items() if hasattr(plain, key)}
        if plain.is_encoder_decoder:
            own["decoder_start_token_id"] = tokenizer.pad_token_id  # T5's class does not say that it has one
        return AutoConfig.for_model(recipe.architecture, **own | recipe.config, random_weights=True)
    except (StrictDataclassError, ValueError, TypeError) as error:
        raise ModelError(f"random: transformers refuses {recipe.architecture}'s `config`: {error}") from error


def _auto(transformers: Any, config: Any) -> Any:
    """The auto class that gives the model the head it is usually pretrained with; a bare model where it has none."""
    if config.is_encoder_decoder:
        return transformers.AutoModelForSeq2SeqLM
    for auto, known in (
        (transformers.AutoModelForMaskedLM, transformers.MODEL_FOR_MASKED_LM_MAPPING),
        (transformers.AutoModelForCausalLM, transformers.MODEL_FOR_CAUSAL_LM_MAPPING),
    ):
        if type(config) in known:
            return auto
    return transformers.AutoModel
