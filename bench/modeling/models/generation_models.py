"""Which models can answer with text, and how each reads and writes. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bench.modeling.models.facts import Facts
from bench.suite.parameters import Strict

Writer = Literal["encoder-decoder", "decoder", "joined"]
"""encoder-decoder: Marian, T5, BART…; decoder: GPT, Llama…; joined: an encoder that is to be joined with a copy of
itself into an encoder-decoder (BERT2BERT)."""
_JOINED = ("bert", "camembert", "roberta", "xlm-roberta")
"""Encoders for which transformers knows a decoder that attends to another model's states."""


def writer(facts: Facts) -> Writer | None:
    """How this model answers with text; None where it cannot."""
    if facts.sentence_encoder or facts.modality in ("image", "image-text", "audio"):
        return None
    if facts.head == "seq2seq-lm":
        return "encoder-decoder"
    if facts.decoder:
        return "decoder"
    return "joined" if facts.model_type in _JOINED else None


def extracts(facts: Facts) -> bool:
    """Whether this model answers a question by words of its context, and does not write: encoders, and whatever has a
    head for that. Nothing is joined to answer questions."""
    return facts.head == "question-answering" or writer(facts) not in ("encoder-decoder", "decoder")


class Decoding(Strict):
    """How a model writes. What is None is left to the model's own generation config."""

    beams: Annotated[int, Field(ge=1)] | None = Field(None, description="1 is greedy")
    max_new_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="tokens an answer may have; where the model's config does not say either: 128"
    )
    do_sample: bool = Field(False, description="draw tokens at random, whatever the model's own config says")
    temperature: Annotated[float, Field(gt=0)] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    length_penalty: float | None = None
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None
    no_repeat_ngram_size: Annotated[int, Field(ge=0)] | None = None

    def options(self) -> dict[str, Any]:
        """Arguments for transformers' `generate`, without `max_new_tokens`."""
        given = self.model_dump(exclude={"beams", "max_new_tokens"}, exclude_none=True)
        if self.beams is not None:
            given["num_beams"] = self.beams
        if not self.do_sample:  # a model's own settings for sampling mean nothing then, and transformers says so loudly
            given |= {"temperature": None, "top_k": None, "top_p": None}
        return given
