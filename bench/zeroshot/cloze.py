"""A masked language model fills a template's mask: mean log-probability of the label's tokens, one mask each.

Pattern-verbalizer scoring (Schick and Schütze 2021), a label of k tokens in a template with k masks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.errors import NotApplicable
from bench.modeling.models.facts import Facts

if TYPE_CHECKING:
    import numpy as np
    import torch

    from bench.modeling.inference.zero_shot import Loaded, Settings

VERSION = 1
GIVES = "classes"
SHOTS = True
TEMPLATES = ("{text} It was {label}.", "{text} This is {label}.", "{text} In one word: {label}.", "{label}: {text}")


def applies(
    facts: Facts, modality: Literal["text", "image"], labels: Sequence[str], label_map: Mapping[str, str]
) -> str | None:
    """None, or why not."""
    if modality != "text" or facts.head != "masked-lm":
        return "it is no masked language model for text"
    return "a sentence encoder is compared by similarity" if facts.sentence_encoder else None


def load(folder: Path, device: torch.device, dtype: torch.dtype, **options: Any) -> Loaded:
    """The model with its language-modelling head."""
    from bench.modeling.inference import zero_shot

    loaded = zero_shot.load("AutoModelForMaskedLM", folder, device, dtype, **options)
    if loaded.tokenizer.mask_token is None:
        raise NotApplicable("the model's tokenizer has no mask token")
    return loaded


def log_probabilities(
    loaded: Loaded,
    inputs: Sequence[str] | Sequence[tuple[str, str]],
    labels: Sequence[str],
    templates: Sequence[str],
    how: Settings,
) -> np.ndarray:
    """float32 [templates, examples, labels]."""
    import numpy as np
    import torch

    from bench.modeling.inference import zero_shot
    from bench.modeling.prompts import few_shot_examples, fill_template

    tokenizer = loaded.tokenizer
    mask = tokenizer.mask_token
    texts = [fill_template.plain(example).replace(mask, "") for example in inputs]
    scores = np.empty((len(templates), len(texts), len(labels)), np.float32)
    whole = [fill_template.with_text(template) for template in templates]
    words = [[_label_ids(tokenizer, template, label) for label in labels] for template in whole]
    longest = [mask * max(len(ids) for ids in row) for row in words]  # every label is judged after the same text
    examples = [(fill_template.plain(example).replace(mask, ""), label) for example, label in how.shots]
    length, most = loaded.length(how.max_length), loaded.length(sys.maxsize)
    asked = [
        few_shot_examples.ask(
            tokenizer, examples, template, texts, partial(fill_template.fill, template, label=label), length, most
        )
        for template, label in zip(whole, longest, strict=True)
    ]
    passes = [(t, size) for t, row in enumerate(words) for size in sorted({len(ids) for ids in row})]
    for number, (t, size) in enumerate(passes):
        of_size = [i for i, ids in enumerate(words[t]) if len(ids) == size]
        filled = [before + fill_template.fill(whole[t], text, mask * size) for before, text in asked[t]]
        wanted = torch.tensor([words[t][i] for i in of_size], device=how.device)

        def forward(batch: dict[str, torch.Tensor], _: np.ndarray, wanted: torch.Tensor = wanted) -> torch.Tensor:
            logits = loaded.model(**batch).logits
            at_masks = logits[batch["input_ids"] == tokenizer.mask_token_id].float().log_softmax(-1)
            by_mask = at_masks.view(len(logits), wanted.shape[1], -1)
            found: torch.Tensor = by_mask[:, torch.arange(wanted.shape[1], device=how.device), wanted].mean(-1)
            return found

        scores[t][:, of_size] = zero_shot.run(
            zero_shot.tokens(loaded, tokenizer(filled)),
            forward,
            how,
            part=(number, len(passes)),
        )
    return zero_shot.normalised(scores)


def _label_ids(tokenizer: Any, template: str, label: str) -> list[int]:
    before = template[: template.index("{label}")]
    ids: list[int] = tokenizer(" " * before[-1:].isspace() + label, add_special_tokens=False)["input_ids"]
    if not ids:
        raise NotApplicable(f"the model's tokenizer has no token for the label '{label}'")
    return ids
