"""Builds a model that answers with text from a local folder: as it is, with random weights, or two encoders joined."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.modeling.encoding.source_target import writer_of
from bench.modeling.encoding.text import tokenizer_for
from bench.modeling.models.loading import building, from_files, require, set_dropout
from bench.private_api import leave_masks_unread


class Backbone(nn.Module):
    """A model that answers with text where regimes look for one: they freeze or wrap `backbone`, which is all of it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.backbone = model


def generator(
    folder: Path,
    *,
    pretrained: bool,
    seed: int,
    dropout: float | None = None,
    dtype: str = "float32",
    trust_remote_code: bool = False,
    allow_missing: Sequence[str] = (),
    tie: bool = False,
) -> nn.Module:
    """The folder's model with its language-modelling head and its generation config; what is random is drawn by `seed`.

    An encoder of BERT's kind is joined with a copy of itself: one reads, the other writes and attends to what was read
    by layers of random weights (Rothe et al. 2020); `tie` has the two share the weights they have in common, which
    `save_pretrained` refuses to write and `partial` cannot split. A random architecture is held in fp32, whatever
    `dtype`. The model returned is all there is: it has no head outside it.

    - LoRA: give the whole model to PEFT. `all-linear` covers encoder, decoder and cross-attention and leaves out the
      language-modelling head; queries and values alone are `q`, `v` in T5, `q_proj`, `v_proj` in BART, Marian, mBART
      and Llama, `c_attn` in GPT-2, `query`, `value` in a joined model. A joined model's cross-attention is random and
      stays so but for the adapter, unless PEFT's `modules_to_save` has it trained in full.
    - `partial`: `decoder_blocks` is the stack whose last blocks train. In the order of the model's parameters the
      embeddings and the encoder come before it, so freezing all before the chosen block leaves these blocks, a last
      norm, and a head of weights of its own (a tied head is the embedding, and frozen with it).

    Raises ModelError where the model cannot answer with text, transformers cannot build it, or weights are missing: a
    random head writes noise. Of an encoder to be joined only the backbone need be there.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig

    how = writer_of(folder)
    leave_masks_unread()
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    with building(folder):
        config = AutoConfig.from_pretrained(folder, **options)
        if dropout is not None:
            set_dropout(config, dropout)
        if how == "joined":
            return _joined(folder, config, pretrained, seed, dtype, tie, options, allow_missing)
        auto = AutoModelForSeq2SeqLM if how == "encoder-decoder" else AutoModelForCausalLM
        model, gaps = build(auto, folder, config, pretrained, seed, dtype, options)
        require(folder, model, gaps, model, allow_missing)
        if not pretrained:  # as `from_pretrained` finds it: older models have it in config.json
            own = (folder / "generation_config.json").is_file()
            file = {} if own else {"config_file_name": "config.json", "_from_model_config": True}
            model.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True, **file)
    if how == "decoder":
        _end_as(tokenizer_for(folder), model.generation_config)
    built: nn.Module = model
    return built


def decoder_blocks(model: Any) -> nn.ModuleList | list[nn.Module] | None:
    """The stack of blocks that writes, whatever is wrapped around it; None where the model has none."""
    from bench.modeling.heads.classifier import blocks

    return blocks(model.get_decoder())


def _end_as(tokenizer: Any, config: Any) -> None:
    """Have generation stop, too, at the token that ends the answers learnt from."""
    ends = [] if config.eos_token_id is None else np.atleast_1d(config.eos_token_id).tolist()
    if tokenizer.eos_token_id not in ends:
        config.eos_token_id = [*ends, tokenizer.eos_token_id]
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id


def build(
    auto: Any, folder: Path, config: Any, pretrained: bool, seed: int, dtype: str, options: dict[str, Any], **more: Any
) -> tuple[Any, dict[str, str]]:
    """The model, and what its files lack of it, for `require`; nothing where its weights are random."""
    torch.manual_seed(seed)
    trust = options["trust_remote_code"]
    if pretrained:
        return from_files(auto, folder, config=config, dtype=dtype, trust_remote_code=trust, **more)
    return auto.from_config(config, dtype=torch.float32, trust_remote_code=trust, **more), {}


def _joined(
    folder: Path, config: Any, pretrained: bool, seed: int, dtype: str, tie: bool, options: dict[str, Any],
    allow_missing: Sequence[str],
) -> nn.Module:  # fmt: skip
    """Two copies of an encoder as one encoder-decoder. [CLS] starts what it writes and [SEP] ends it."""
    from transformers import AutoModel, AutoModelForCausalLM, EncoderDecoderConfig, EncoderDecoderModel

    writing = copy.deepcopy(config)
    writing.is_decoder = writing.add_cross_attention = True
    how = (pretrained, seed, dtype, options)
    encoder, gaps = build(AutoModel, folder, config, *how, add_pooling_layer=False)
    require(folder, encoder, gaps, encoder, allow_missing)
    decoder, _ = build(AutoModelForCausalLM, folder, writing, *how)  # the same backbone; the rest is to be learnt
    if tie:
        _tie(encoder, decoder)
    tokenizer = tokenizer_for(folder)
    special = {
        "decoder_start_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    both = EncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder.config, **special)
    model = EncoderDecoderModel(both, encoder, decoder)
    model.generation_config.update(**special)
    built: nn.Module = model
    return built


def _tie(encoder: nn.Module, decoder: Any) -> None:
    """Give the decoder the encoder's own parameters wherever both have one of a name."""
    twins = dict(decoder.base_model.named_modules())
    for name, module in encoder.named_modules():
        for key, parameter in module.named_parameters(recurse=False):
            twins[name].register_parameter(key, parameter)
    decoder.tie_weights()
