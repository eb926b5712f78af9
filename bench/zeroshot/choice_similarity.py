"""A sentence encoder compares the context with each choice: softmax over choices of 20 · cosine."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference.sentence_encoder import SCALE, SentenceEncoder, embeddings

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context
    from bench.modeling.inference.zero_shot import Loaded, Settings


class ChoiceSimilarity(SentenceEncoder):
    """Contexts and choices are embedded apart."""

    VERSION = 1
    OBJECTIVE = "choices"

    def answers(
        self, context: Context, loaded: Loaded, inputs: Sequence[Any], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [1, n, most choices], -inf where an example has fewer."""
        import numpy as np

        from bench.modeling.encoding import choices
        from bench.modeling.encoding.arrays import offsets_of
        from bench.modeling.inference import zero_shot

        found = embeddings(loaded, [text for one in inputs for text in one], how)
        begins = offsets_of(map(len, inputs))
        cosines = [found[i + 1 : j] @ found[i] for i, j in itertools.pairwise(begins)]
        return zero_shot.normalised(choices.spread(SCALE * np.concatenate(cosines), inputs)[None])
