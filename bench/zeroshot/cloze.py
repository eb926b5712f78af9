"""A masked language model fills a template's mask: mean log-probability of the label's tokens, one mask each.

Pattern-verbalizer scoring (Schick and Schütze 2021), a label of k tokens in a template with k masks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.errors import NotApplicable
from bench.modeling.inference.label_scoring import LabelScoring
from bench.modeling.inference.own_model import LanguageModel

if TYPE_CHECKING:
    import numpy as np
    import torch

    from bench.contracts import Context
    from bench.modeling.inference.zero_shot import Loaded, Settings


class Cloze(LanguageModel, LabelScoring):
    """Likelihoods of labels in the place of masks."""

    VERSION = 1
    AUTO = "AutoModelForMaskedLM"
    HEAD = "masked-lm"
    OTHERWISE = "it is no masked language model for text"
    TEMPLATES = ("{text} It was {label}.", "{text} This is {label}.", "{text} In one word: {label}.", "{label}: {text}")

    def load(self, context: Context) -> Loaded:
        """The model with its language-modelling head. Raises NotApplicable where its tokenizer has no mask."""
        loaded = super().load(context)
        if loaded.tokenizer.mask_token is None:
            raise NotApplicable("the model's tokenizer has no mask token")
        return loaded

    def log_probabilities(
        self, loaded: Loaded, inputs: Sequence[Any], labels: Sequence[str], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [templates, examples, labels]."""
        import numpy as np
        import torch

        from bench.modeling.inference import zero_shot
        from bench.modeling.prompts import fill_template

        whole = [fill_template.with_text(template) for template in templates]
        words = [[_label_ids(loaded.tokenizer, template, label) for label in labels] for template in whole]
        asked = _asked(loaded, inputs, whole, words, how)
        scores = np.empty((len(templates), len(inputs), len(labels)), np.float32)
        passes = [(t, size) for t, row in enumerate(words) for size in sorted({len(ids) for ids in row})]
        for number, (t, size) in enumerate(passes):
            of_size = [i for i, ids in enumerate(words[t]) if len(ids) == size]
            masks = loaded.tokenizer.mask_token * size
            filled = [before + fill_template.fill(whole[t], text, masks) for before, text in asked[t]]
            wanted = torch.tensor([words[t][i] for i in of_size], device=how.device)
            scores[t][:, of_size] = zero_shot.run(
                zero_shot.tokens(loaded, loaded.tokenizer(filled)),
                partial(_mean_at_masks, loaded, wanted),
                how,
                part=(number, len(passes)),
            )
        return zero_shot.normalised(scores)


def _asked(
    loaded: Loaded, inputs: Sequence[Any], whole: Sequence[str], words: Sequence[Sequence[list[int]]], how: Settings
) -> list[list[tuple[str, str]]]:
    """By template: what stands before each text, and the text, cut. words: by template, each label's token ids."""
    from bench.modeling.prompts import few_shot_examples, fill_template

    mask = loaded.tokenizer.mask_token

    def plain(example: Any) -> str:
        return fill_template.plain(example).replace(mask, "")

    texts, examples = [plain(one) for one in inputs], [(plain(one), label) for one, label in how.few_shot]
    longest = [mask * max(len(ids) for ids in row) for row in words]  # every label is judged after the same text
    length, most = loaded.length(how.max_length), loaded.length(sys.maxsize)
    asked = []
    for template, label in zip(whole, longest, strict=True):
        wrap = partial(fill_template.fill, template, label=label)
        asked.append(few_shot_examples.ask(loaded.tokenizer, examples, template, texts, wrap, length, most))
    return asked


def _mean_at_masks(loaded: Loaded, wanted: torch.Tensor, batch: dict[str, torch.Tensor], _: np.ndarray) -> torch.Tensor:
    """The mean log-probability of each label's tokens at the masks, [n, labels]. wanted: their ids [labels, masks]."""
    import torch

    logits = loaded.model(**batch).logits
    at_masks = logits[batch["input_ids"] == loaded.tokenizer.mask_token_id].float().log_softmax(-1)
    by_mask = at_masks.view(len(logits), wanted.shape[1], -1)
    found: torch.Tensor = by_mask[:, torch.arange(wanted.shape[1], device=wanted.device), wanted].mean(-1)
    return found


def _label_ids(tokenizer: Any, template: str, label: str) -> list[int]:
    before = template[: template.index("{label}")]
    ids: list[int] = tokenizer(" " * before[-1:].isspace() + label, add_special_tokens=False)["input_ids"]
    if not ids:
        raise NotApplicable(f"the model's tokenizer has no token for the label '{label}'")
    return ids
