"""A sentence encoder compares the two texts of a pair: the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference.sentence_encoder import SentenceEncoder, embeddings

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context
    from bench.modeling.inference.zero_shot import Loaded, Settings


class Cosine(SentenceEncoder):
    """The cosine of two texts."""

    VERSION = 1
    OBJECTIVE = "values"
    COLUMNS = ("text_pair",)

    def answers(
        self, context: Context, loaded: Loaded, inputs: Sequence[Any], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float64 [1, n], between -1 and 1, whatever the task's unit: rank correlation does not mind."""
        import numpy as np

        sides = [text for side in zip(*inputs, strict=True) for text in side]
        first, second = np.split(embeddings(loaded, sides, how).astype(np.float64), 2)
        found: np.ndarray = (first * second).sum(axis=-1)
        return found[None]
