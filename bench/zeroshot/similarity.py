"""A sentence encoder compares the text with each label's sentence: softmax of 20 · cosine.

Pooled as the model's sentence-transformers modules say; 20 is the scale of that library's ranking loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference.label_scoring import LabelScoring
from bench.modeling.inference.sentence_encoder import SCALE, SentenceEncoder, embeddings

if TYPE_CHECKING:
    import numpy as np

    from bench.modeling.inference.zero_shot import Loaded, Settings


class Similarity(SentenceEncoder, LabelScoring):
    """Cosines of a text and labels' sentences."""

    VERSION = 1
    TEMPLATES = ("{label}", "This text is about {label}.", "It is {label}.")

    def log_probabilities(
        self, loaded: Loaded, inputs: Sequence[Any], labels: Sequence[str], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [templates, examples, labels]."""
        from bench.modeling.inference import zero_shot
        from bench.modeling.prompts import fill_template

        statements = [fill_template.statement(template, label) for template in templates for label in labels]
        texts = [fill_template.plain(example) for example in inputs]
        if how.prepared is None:  # in one pass, the examples' batches filled up
            found = embeddings(loaded, texts + statements, how)
            of_texts, of_statements = found[: len(texts)], found[len(texts) :]
        else:
            of_statements = how.known("statements", lambda: embeddings(loaded, statements, how))
            of_texts = embeddings(loaded, texts, how)
        cosines = of_texts @ of_statements.T
        shape = (len(texts), len(templates), len(labels))
        return zero_shot.normalised(SCALE * cosines.reshape(shape).swapaxes(0, 1))
