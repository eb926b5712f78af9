"""Writes a trained model into a folder: weights, config with the labels' names, tokenizer or image processor."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.contracts import Context
from bench.errors import NotApplicable
from bench.modeling.encoding import masked_pixels
from bench.modeling.encoding.pixels import processor_for
from bench.modeling.encoding.text import longest
from bench.modeling.heads import segmenter
from bench.modeling.heads.classifier import Classifier
from bench.modeling.heads.segmenter import Segmenter
from bench.modeling.heads.tagger import Tagger
from bench.modeling.models.generator import Backbone
from bench.modeling.models.timm_models import TIMM
from bench.modeling.networks.models import TYPE
from bench.training.kept import adapted, own_network
from bench.training.starting_weights import merged

AUTO = {"pooled": "AutoModelForSequenceClassification", "tokens": "AutoModelForTokenClassification",
        "spans": "AutoModelForQuestionAnswering", "image": "AutoModelForImageClassification"}  # fmt: skip
CLOSE = 1e-3
"""Logits of the model that is read back differ by no more than this from those of the model that was trained."""
SOME = 8
"""Test examples by which the two are compared."""


def write(folder: Path, context: Context, model: Any) -> str:
    """Fill a folder that transformers' `from_pretrained` loads; returns the auto class that does. An adapter of PEFT's
    stands in `adapter` too, and is merged into the weights.

    Raises NotApplicable where the model cannot be kept so, or would answer otherwise once it is read back.
    """
    before = None if isinstance(model, Backbone) else _logits(context, model)
    _adapter(folder, context, model.backbone)
    model.backbone = merged(model.backbone)
    model = model.float().cpu().eval()
    if getattr(model.backbone.config, "model_type", "") == TYPE:
        auto = own_network.write(folder, context, model)
        _close(before, own_network.read_back(folder, context, model, _batch(context)))
        return auto
    auto = _written(folder, context, model)
    if context.task.MODALITY == "image":
        whole = masked_pixels.whole(context.folder, context.parameters.size) if isinstance(model, Segmenter) else {}
        if context.facts.model_type != TIMM:  # whose image processor reads config.json
            processor_for(context.folder, **whole).save_pretrained(folder)
    else:
        tokenizer = context.features.tokenizer
        most = getattr(context.parameters, "max_length", getattr(context.parameters, "max_source", None))
        if most is not None:
            tokenizer.model_max_length = longest(context.folder, tokenizer, most)
        tokenizer.save_pretrained(folder)
    if before is not None:
        _same(folder, context, before)
    return auto


def _written(folder: Path, context: Context, model: Any) -> str:
    """Weights and config; returns the auto class that loads them."""
    if isinstance(model, Backbone):
        return _native(folder, model.backbone)
    if isinstance(model, Segmenter):
        names = dict(enumerate(context.labels))
        model.whole.config.update({"id2label": names, "label2id": {name: number for number, name in names.items()}})
        model.whole.save_pretrained(folder)
        return segmenter.AUTO
    return _with_head(folder, context, model)


def _adapter(folder: Path, context: Context, backbone: Any) -> None:
    """Keep PEFT's own files, by the name of the model that they belong to and not where it lies here."""
    if not hasattr(backbone, "peft_config"):
        return
    named = context.trial.model["parameters"].get("hub") or context.trial.names.model
    for config in backbone.peft_config.values():
        config.base_model_name_or_path = str(named)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT misses the base's config where that is no folder
        backbone.save_pretrained(folder / "adapter", save_embedding_layers=False)
    (folder / "adapter" / "README.md").unlink(missing_ok=True)  # a template to be filled in


def _native(folder: Path, model: Any) -> str:
    """A model that has its own head in transformers."""
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    )

    model.config.use_cache = True
    try:
        model.save_pretrained(folder)
    except (RuntimeError, ValueError) as error:
        raise NotApplicable(f"transformers cannot save this model: {' '.join(str(error).split())[:200]}") from error
    known = {
        "AutoModelForSeq2SeqLM": MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
        "AutoModelForCausalLM": MODEL_FOR_CAUSAL_LM_MAPPING,
        "AutoModelForMaskedLM": MODEL_FOR_MASKED_LM_MAPPING,
    }
    return next((auto for auto, of in known.items() if of.get(type(model.config), None) is type(model)), "AutoModel")


def _with_head(folder: Path, context: Context, model: Classifier | Tagger) -> str:
    """A backbone and the head of this program, with the file that tells transformers how they go together."""
    answers = "pooled" if isinstance(model, Classifier) else "spans" if not context.labels else "tokens"
    names = context.labels or [f"LABEL_{n}" for n in range(model.head.out_features)]
    if len(names) != model.head.out_features:  # one score for each of several choices
        names = ["score"]
    auto = AUTO["image" if context.task.MODALITY == "image" else answers]
    kind = context.objective.ANSWERS
    problem = {"classes": "single_label_classification", "label-sets": "multi_label_classification",
               "values": "regression"}.get(kind)  # fmt: skip
    scale, offset = _scale(context) if kind == "values" else (1.0, 0.0)
    own: Any = model.backbone.config
    timm = {key: getattr(own, key) for key in ("architecture", "pretrained_cfg") if own.model_type == TIMM}
    config = adapted.AdaptedConfig(
        backbone=own.to_diff_dict() | {"model_type": own.model_type},
        answers=answers, pooling=context.pooling, width=model.head.in_features, scale=scale, offset=offset,
        problem_type=problem, **timm,
        id2label=dict(enumerate(names)), label2id={name: n for n, name in enumerate(names)},
        auto_map={"AutoConfig": "adapted.AdaptedConfig", **dict.fromkeys(("AutoModel", auto), "adapted.AdaptedModel")},
    )  # fmt: skip
    try:
        whole = adapted.AdaptedModel(config)
        whole.load_state_dict(
            {name: value for name, value in model.state_dict().items() if not name.startswith("dropout")}
        )
    except (RuntimeError, ValueError, AttributeError, TypeError, KeyError) as error:
        said = " ".join(str(error).split())[:200]
        raise NotApplicable(f"transformers' AutoModel does not build this backbone on its own: {said}") from error
    whole.save_pretrained(folder)
    shutil.copyfile(str(adapted.__file__), folder / "adapted.py")
    return auto


def _scale(context: Context) -> tuple[float, float]:
    """What a number's logit is multiplied by, and what is added to it."""
    known = context.objective.targets(context, context.parts["train"])
    return float(known.std()) or 1.0, float(known.mean())


def _batch(context: Context) -> dict[str, torch.Tensor]:
    """Some test examples as the model takes them."""
    encoded = context.features.encoded("test")
    encoded = getattr(encoded, "tokens", getattr(encoded, "pairs", encoded))
    rows = np.arange(min(SOME, len(encoded.lengths)))
    found: dict[str, torch.Tensor] = encoded.batch(rows, torch.device("cpu"))
    return found


def _logits(context: Context, model: nn.Module) -> torch.Tensor:
    """What the trained model says of them, as it was trained."""
    with torch.inference_mode():
        given = {name: value.to(context.device) for name, value in _batch(context).items()}
        found: torch.Tensor = model.eval()(given).float().cpu()
    return found


def _same(folder: Path, context: Context, before: torch.Tensor) -> None:
    """Raise NotApplicable where the model that is read back answers otherwise."""
    from transformers import AutoModelForSemanticSegmentation

    own = (folder / "adapted.py").is_file()
    read = (adapted.AdaptedModel if own else AutoModelForSemanticSegmentation).from_pretrained(folder).eval()
    with torch.inference_mode():
        found = read(**_batch(context))
    after = found.logits if "logits" in found else torch.stack([found.start_logits, found.end_logits], dim=-1)
    if own:
        after = (after - read.config.offset) / read.config.scale
    _close(before, after)


def _close(before: torch.Tensor | None, after: torch.Tensor) -> None:
    """Raise NotApplicable where logits are not those of the model that was trained."""
    if before is not None and not torch.allclose(after, before, atol=CLOSE, rtol=CLOSE):
        raise NotApplicable(f"read back, it answers otherwise (by up to {(after - before).abs().max():.2g})")
