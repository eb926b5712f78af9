"""A sentence encoder's embeddings, pooled as its sentence-transformers modules say. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import NotApplicable
from bench.modeling.inference.own_model import Asked
from bench.modeling.models.facts import sentence_pooling

if TYPE_CHECKING:
    import numpy as np
    import torch

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts

SCALE = 20.0
"""By which cosines are multiplied before the softmax: the scale of sentence-transformers' ranking loss."""
MODULES = {"Transformer", "Pooling", "Normalize"}


class SentenceEncoder(Asked):
    """The bare encoder, without the pooler that its embeddings do not use."""

    AUTO = "AutoModel"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        if question.modality != "text" or facts.modality != "text" or not facts.sentence_encoder:
            return "it is no sentence encoder for text (it has no modules.json)"
        other = sorted(set(facts.modules) - MODULES)
        return f"its sentence-transformers module {other[0]} is not supported" if other else None

    def load(self, context: Context) -> Loaded:
        """The encoder."""
        from bench.modeling.inference import zero_shot

        return zero_shot.own_model(context, self.AUTO, allow_missing=("pooler.*",))


def embeddings(loaded: Loaded, texts: Sequence[str], how: Settings) -> np.ndarray:
    """Pooled states of length 1, float32 [n, width]. Raises NotApplicable for a pooling that is none of ours."""
    import torch

    from bench.modeling.heads.pool import pool
    from bench.modeling.inference import zero_shot

    pooling = _pooling(loaded.folder)

    def embed(batch: dict[str, torch.Tensor], _: np.ndarray) -> torch.Tensor:
        states = pool(loaded.model(**batch), batch["attention_mask"], pooling).float()
        return torch.nn.functional.normalize(states, dim=-1)

    encoding = loaded.tokenizer(list(texts), truncation=True, max_length=loaded.length(how.max_length))
    return zero_shot.run(zero_shot.tokens(loaded, encoding), embed, how)


def _pooling(folder: Path) -> str:
    modules = json.loads((folder / "modules.json").read_text())
    path = next((m["path"] for m in modules if m["type"].endswith("Pooling")), None)
    config = {} if path is None else json.loads((folder / path / "config.json").read_text())
    pooling = sentence_pooling(config)
    if pooling is None:
        raise NotApplicable("the model's sentence-transformers pooling is none of mean, cls and lasttoken")
    return pooling
