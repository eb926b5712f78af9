"""A model of entailment judges whether the text entails each label's sentence: P(entailment), normalised over labels.

Yin et al. 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.modeling.models.facts import Facts

if TYPE_CHECKING:
    import numpy as np
    import torch

    from bench.modeling.inference.zero_shot import Loaded, Settings

VERSION = 1
GIVES = "classes"
TEMPLATES = ("This text is about {label}.", "This example is {label}.", "It is {label}.")


def applies(
    facts: Facts, modality: Literal["text", "image"], labels: Sequence[str], label_map: Mapping[str, str]
) -> str | None:
    """None, or why not."""
    if modality != "text" or facts.head != "sequence-classification" or column(facts.labels or ()) is None:
        return "it is no text classifier with a label 'entailment'"
    return None


def load(folder: Path, device: torch.device, dtype: torch.dtype, **options: Any) -> Loaded:
    """The model with its classification head."""
    from bench.modeling.inference import zero_shot

    return zero_shot.load("AutoModelForSequenceClassification", folder, device, dtype, **options)


def log_probabilities(
    loaded: Loaded,
    inputs: Sequence[str] | Sequence[tuple[str, str]],
    labels: Sequence[str],
    templates: Sequence[str],
    how: Settings,
) -> np.ndarray:
    """float32 [templates, examples, labels]."""
    from bench.modeling.inference import zero_shot

    judged = log_likelihoods(loaded, inputs, labels, templates, how)
    return zero_shot.normalised(judged[..., column(loaded.labels)])


def log_likelihoods(
    loaded: Loaded,
    inputs: Sequence[str] | Sequence[tuple[str, str]],
    labels: Sequence[str],
    templates: Sequence[str],
    how: Settings,
) -> np.ndarray:
    """Of each of the model's own labels (entailment, contradiction, …), float32 [templates, examples, labels, own]."""
    import numpy as np

    from bench.modeling.inference import zero_shot
    from bench.modeling.prompts import fill_template

    premises = [fill_template.plain(example) for example in inputs for _ in labels]
    scores = []
    for number, template in enumerate(templates):
        statements = [fill_template.statement(template, label) for label in labels] * len(inputs)
        encoding = loaded.tokenizer(
            premises, statements, truncation="only_first", max_length=loaded.length(how.max_length)
        )
        found = zero_shot.run(
            zero_shot.tokens(loaded, encoding),
            lambda batch, _: loaded.model(**batch).logits.float().log_softmax(-1),
            how,
            part=(number, len(templates)),
        )
        scores.append(found.reshape(len(inputs), len(labels), -1))
    return np.stack(scores)


def column(names: Sequence[str], *beginnings: str) -> int | None:
    """The first of a model's labels that begins so, `entail` where nothing is said."""
    found = [i for i, name in enumerate(names) if name.casefold().startswith(beginnings or "entail")]
    return found[0] if found else None
