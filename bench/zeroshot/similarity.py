"""A sentence encoder compares the text with each label's sentence: softmax of 20 · cosine.

Pooled as the model's sentence-transformers modules say; 20 is the scale of that library's ranking loss.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.errors import NotApplicable
from bench.modeling.models.facts import Facts, sentence_pooling

if TYPE_CHECKING:
    import numpy as np
    import torch

    from bench.modeling.inference.zero_shot import Loaded, Settings

VERSION = 1
GIVES = "classes"
TEMPLATES = ("{label}", "This text is about {label}.", "It is {label}.")
SCALE = 20.0
MODULES = {"Transformer", "Pooling", "Normalize"}


def applies(
    facts: Facts, modality: Literal["text", "image"], labels: Sequence[str], label_map: Mapping[str, str]
) -> str | None:
    """None, or why not."""
    if modality != "text" or facts.modality != "text" or not facts.sentence_encoder:
        return "it is no sentence encoder for text (it has no modules.json)"
    other = sorted(set(facts.modules) - MODULES)
    return f"its sentence-transformers module {other[0]} is not supported" if other else None


def load(folder: Path, device: torch.device, dtype: torch.dtype, **options: Any) -> Loaded:
    """The bare encoder."""
    from bench.modeling.inference import zero_shot

    options["allow_missing"] = ("pooler.*", *options.get("allow_missing", ()))
    return zero_shot.load("AutoModel", folder, device, dtype, **options)


def log_probabilities(
    loaded: Loaded,
    inputs: Sequence[str] | Sequence[tuple[str, str]],
    labels: Sequence[str],
    templates: Sequence[str],
    how: Settings,
) -> np.ndarray:
    """float32 [templates, examples, labels]."""
    from bench.modeling.inference import zero_shot
    from bench.modeling.prompts import fill_template

    statements = [fill_template.statement(template, label) for template in templates for label in labels]
    texts = [fill_template.plain(example) for example in inputs]
    if how.prepared is None:  # in one pass, the examples' batches filled up
        found = embeddings(loaded, texts + statements, how)
        told, meant = found[: len(texts)], found[len(texts) :]
    else:
        meant = how.known("statements", lambda: embeddings(loaded, statements, how))
        told = embeddings(loaded, texts, how)
    cosines = told @ meant.T
    shape = (len(texts), len(templates), len(labels))
    return zero_shot.normalised(SCALE * cosines.reshape(shape).swapaxes(0, 1))


def embeddings(loaded: Loaded, texts: Sequence[str], how: Settings) -> np.ndarray:
    """Pooled states of length 1, float32 [n, width]. Raises NotApplicable for a pooling that is none of ours."""
    import torch

    from bench.modeling.heads.classifier import pool
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
