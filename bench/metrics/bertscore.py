"""BERTScore: mean F1 of tokens matched by the cosine of their contextual embeddings, that of the best reference.

Zhang et al. 2020, without inverse document frequencies and not rescaled. The model is named by the environment variable
BENCH_BERTSCORE_MODEL, a Hub id or a folder; the layer is the one that the paper's tables choose for it, else the last.
[CLS] and [SEP] count for nothing, and a text without any other token scores 0.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts import MeanMetric
from bench.errors import ModelError

VARIABLE, DEFAULT = "BENCH_BERTSCORE_MODEL", "roberta-large"
LAYERS = {
    "bert-base-uncased": 9, "bert-large-uncased": 18, "bert-base-cased": 9, "bert-base-multilingual-cased": 9,
    "bert-base-chinese": 8, "roberta-base": 10, "roberta-large": 17, "distilbert-base-uncased": 5,
    "distilroberta-base": 5, "xlm-roberta-base": 9, "xlm-roberta-large": 17, "microsoft/deberta-xlarge-mnli": 40,
}  # fmt: skip
"""As `bert_score.utils.model2layers` has them."""
BATCH = 32


class BertScore(MeanMetric):
    """BERTScore of the model that the environment names."""

    VERSION = 1
    TAKES = "texts"
    RANGE = (-1.0, 1.0)

    def check(self) -> None:
        """Bring the model here. Raises ModelError where it is not at hand."""
        _model(_name())

    def outcomes(self, targets: list[list[str]], answers: list[str]) -> np.ndarray:
        """Each answer's F1 with its best reference, float32 [n]."""
        vectors = _embedded(sorted({text for texts in targets for text in texts} | set(answers)))
        pairs = zip(targets, answers, strict=True)
        found = [max(_f1(vectors[text], vectors[answer]) for text in texts) for texts, answer in pairs]
        return np.array(found, dtype=np.float32)

    def signature(self) -> str:
        """Model, layer, what is left out, and the libraries."""
        import torch
        import transformers

        name = _name()
        shown = f"{Path(name).name} (a folder)" if Path(name).is_dir() else name
        versions = f"torch {torch.__version__}|transformers {transformers.__version__}"
        return f"bertscore|model:{shown}|layer:{_model(name)[2]}|idf:no|rescaled:no|f1|references:max|{versions}"


def _name() -> str:
    return os.environ.get(VARIABLE) or DEFAULT


@functools.lru_cache(maxsize=1)
def _model(name: str) -> tuple[Any, Any, int]:
    """The model, its tokenizer and the layer. Raises ModelError."""
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model, found = AutoModel.from_pretrained(name, weights_only=True, output_loading_info=True)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"metric bertscore: its model '{name}' is not at hand ({reason}); name one that is, a folder or a Hub id, "
            f"in the environment variable {VARIABLE}, or take bertscore out of metrics"
        ) from error
    random = sorted(key for key in found["missing_keys"] if not key.startswith("pooler.") and "position_ids" not in key)
    if random:
        raise ModelError(f"metric bertscore: the files of its model '{name}' lack {', '.join(random[:3])}; get it anew")
    return model.eval(), tokenizer, LAYERS.get(name, model.config.num_hidden_layers)


def _embedded(texts: list[str]) -> dict[str, Any]:
    """Text → the unit vectors of its tokens, float32 [tokens, width], without those of special tokens."""
    import torch

    model, tokenizer, layer = _model(_name())
    longest = min(tokenizer.model_max_length, model.config.max_position_embeddings - 2)  # RoBERTa counts from 2
    found: dict[str, Any] = {}
    for begin in range(0, len(texts), BATCH):
        part = texts[begin : begin + BATCH]
        batch = tokenizer(part, padding=True, truncation=True, max_length=longest, return_tensors="pt",
                          return_special_tokens_mask=True)  # fmt: skip
        special = batch.pop("special_tokens_mask").bool()
        with torch.inference_mode():
            states = model(**batch, output_hidden_states=True).hidden_states[layer]
        unit = torch.nn.functional.normalize(states.float(), dim=-1)
        found |= {text: unit[row][~special[row]] for row, text in enumerate(part)}
    return found


def _f1(reference: Any, answer: Any) -> float:
    if not len(reference) or not len(answer):
        return 0.0
    cosines = (reference @ answer.T).clamp(-1, 1)  # rounding goes beyond
    recall, precision = float(cosines.max(dim=1).values.mean()), float(cosines.max(dim=0).values.mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
