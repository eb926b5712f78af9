"""Which models tell how likely a text is, and in which direction they read it. Imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from bench.modeling.models.facts import Facts

Reader = Literal["causal", "masked"]
"""causal: every token given those before it; masked: hidden tokens given all others."""


def reader(facts: Facts) -> Reader | None:
    """How this model reads; None where it has no language-modelling head (a decoder's may be its embedding)."""
    if refusal(facts) is not None:
        return None
    return "masked" if facts.head == "masked-lm" else "causal"


def refusal(facts: Facts) -> str | None:
    """Why a model does not tell how likely a text is, or None."""
    if facts.head == "seq2seq-lm":
        return "an encoder-decoder tells how likely an answer is, given its source, and not how likely a text is"
    if facts.sentence_encoder:
        return "a sentence encoder has no language-modelling head that its weights were trained with"
    if facts.modality in ("image", "image-text", "audio"):
        return f"the model takes {facts.modality}, not text alone"
    if facts.head in ("masked-lm", "causal-lm") or (facts.head is None and facts.decoder):
        return None
    return "its files hold no language-modelling head, and a random one tells nothing"
