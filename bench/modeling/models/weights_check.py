"""Whether a model's files hold what a suite asks of them, told before anything is trained.

The weights are read by transformers, but kept on the meta device, where they have names and shapes and take no memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from bench.contracts import Modality
from bench.errors import ModelError
from bench.modeling.encoding.pixels import processor_for
from bench.modeling.encoding.text import tokenizer_for
from bench.modeling.models.facts import Facts
from bench.modeling.models.generation_models import extracts, writer
from bench.modeling.models.likelihood_models import reader
from bench.modeling.models.loading import backbone_of, from_files, require

VERSION = 1
_BARE = "AutoModel"
_WRITERS = {"encoder-decoder": "AutoModelForSeq2SeqLM", "decoder": "AutoModelForCausalLM"}
_READERS = {"masked": "AutoModelForMaskedLM", "causal": "AutoModelForCausalLM"}
_HEADS = {
    "masked-lm": ("AutoModelForMaskedLM", ("classes",)),
    "causal-lm": ("AutoModelForCausalLM", ("classes", "choices")),
    "sequence-classification": ("AutoModelForSequenceClassification", ("classes", "label-sets", "values")),
    "image-classification": ("AutoModelForImageClassification", ("classes",)),
    "image-text": (_BARE, ("classes",)),
    "token-classification": ("AutoModelForTokenClassification", ("tags",)),
    "question-answering": ("AutoModelForQuestionAnswering", ("spans",)),
    "semantic-segmentation": ("AutoModelForSemanticSegmentation", ("masks",)),
}
"""Heads that a way of zero-shot asks, and what they answer with."""


def check(
    folder: Path, facts: Facts, uses: Sequence[Mapping[str, Any]], pooling: str, options: Mapping[str, Any]
) -> None:
    """Raise ModelError where the folder's model cannot do what it is used for.

    uses: {"gives": a task's objective, "modality", "asked": whether some regime asks the model without training it,
    "trained": whether some trains it}.
    options: `trust_remote_code` and `allow_missing`, of the model's parameters.
    """
    for modality in get_args(Modality):
        own = [use for use in uses if use["modality"] == modality]
        if not own or facts.modality not in (None, modality, "image-text"):
            continue
        tokens = _tokens(folder) if modality == "text" else {}
        if modality == "image":
            processor_for(folder)
        for auto, bare in dict.fromkeys(part for use in own for part in _parts(facts, use)):
            model, gaps = from_files(
                auto, folder, dtype="float32", device_map={"": "meta"}, trust_remote_code=options["trust_remote_code"]
            )
            used = backbone_of(model, model.config, pooling, modality) if bare else model
            require(folder, model, gaps, used, options["allow_missing"])
            _fits(folder, used, tokens)


def _parts(facts: Facts, use: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What this use reads: a class of transformers, and whether it is a bare model of which a part may do."""
    gives = use["gives"]
    how, direction = writer(facts), reader(facts)
    if gives == "texts" or (gives == "spans" and not extracts(facts)):
        if how is not None:
            yield (_BARE, True) if how == "joined" else (_WRITERS[how], False)
        return
    if gives == "likelihoods":
        if direction is not None:
            yield _READERS[direction], False
        return
    if use["asked"] and not facts.random:
        head, answers = _HEADS.get(facts.head or "", (_BARE, ()))
        if gives == "choices" and any(name.endswith("ForMultipleChoice") for name in facts.architectures):
            yield "AutoModelForMultipleChoice", False
        elif gives in answers and not facts.sentence_encoder:
            yield head, False
    if use["trained"] and facts.model_type == "upernet":  # a decode head that has no bare model
        yield _HEADS["semantic-segmentation"][0], False
    elif use["trained"] or facts.sentence_encoder:
        yield _BARE, True


def _tokens(folder: Path) -> dict[str, int]:
    """The tokens that the tokenizer puts into what it reads, by their numbers: its words, and those it adds itself."""
    tokenizer = tokenizer_for(folder)
    words: dict[str, int] = tokenizer.get_vocab()
    own = {tokenizer.pad_token, tokenizer.cls_token, tokenizer.sep_token, tokenizer.mask_token, tokenizer.unk_token}
    later = tokenizer.get_added_vocab().keys() - own - {tokenizer.bos_token, tokenizer.eos_token}
    return {word: number for word, number in words.items() if word not in later}


def _fits(folder: Path, backbone: Any, tokens: Mapping[str, int]) -> None:
    """Raise ModelError where a token has no embedding."""
    try:
        rows = getattr(backbone.get_input_embeddings(), "num_embeddings", None)
    except (AttributeError, NotImplementedError):  # no model of text, or one that embeds in a way of its own
        return
    if rows is None or rows != getattr(backbone.config, "vocab_size", None):
        return
    beyond = sorted((number, word) for word, number in tokens.items() if number >= rows)
    if beyond:
        number, word = beyond[0]
        raise ModelError(
            f"{folder}: its tokenizer has a token {word!r} of number {number}, and the model has embeddings for "
            f"{rows:,}; {len(beyond):,} tokens have none: put the tokenizer there that the model was trained with"
        )
