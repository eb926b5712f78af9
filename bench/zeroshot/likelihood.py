"""A causal language model compares its labels' likelihoods: mean log-probability of the label's tokens after the text.

With `prior`, against the label's prior: minus the same with an empty text (Holtzman et al. 2021; with examples before
it, the contextual calibration of Zhao et al. 2021).
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.errors import UsageError
from bench.modeling.facts import Facts

if TYPE_CHECKING:
    import numpy as np
    import torch

    from bench.modeling.answering import Loaded, Settings

VERSION = 1
GIVES = "classes"
SHOTS = True
TEMPLATES = ("{text} It was {label}.", "{text} This is {label}.", "{text}\nLabel: {label}")


def applies(
    facts: Facts, modality: Literal["text", "image"], labels: Sequence[str], label_map: Mapping[str, str]
) -> str | None:
    """None, or why not."""
    if modality != "text" or facts.head != "causal-lm":
        return "it is no causal language model"
    return "a sentence encoder is compared by similarity" if facts.sentence_encoder else None


def load(folder: Path, device: torch.device, dtype: torch.dtype, trust_remote_code: bool = False) -> Loaded:
    """The model with its language-modelling head."""
    from bench.modeling import answering

    return answering.load("AutoModelForCausalLM", folder, device, dtype, trust_remote_code=trust_remote_code)


def log_probabilities(
    loaded: Loaded,
    inputs: Sequence[str] | Sequence[tuple[str, str]],
    labels: Sequence[str],
    templates: Sequence[str],
    how: Settings,
) -> np.ndarray:
    """float32 [templates, examples, labels]. Raises UsageError for a template whose text follows its label."""
    import numpy as np

    from bench.modeling import answering, prompts, shots

    texts = [prompts.plain(example) for example in inputs] + [""] * how.prior
    examples = [(prompts.plain(example), label) for example, label in how.shots]
    scores = []
    for number, template in enumerate(templates):
        whole = prompts.with_text(template)
        stem, _, _ = whole.partition("{label}")  # what follows the label cannot change its odds
        if "{text}" not in stem:
            raise UsageError(f"the template '{template}' must hold {{text}} before {{label}}: a causal model reads on")
        longest = max(labels, key=lambda label: len(loaded.tokenizer(label)["input_ids"]))
        wrap = partial(prompts.fill, stem + "{label}", label=longest)
        length, most = loaded.length(how.max_length), loaded.length(sys.maxsize)
        asked = shots.ask(loaded.tokenizer, examples, whole, texts, wrap, length, most)
        rows, starts = _rows(loaded.tokenizer, stem, asked, labels)
        found = answering.run(
            answering.tokens(loaded, {"input_ids": rows}),
            partial(_mean_log_probability, loaded, np.array(starts)),
            how,
            part=(number, len(templates)),
        ).reshape(-1, len(labels))
        scores.append(found[:-1] - found[-1] if how.prior else found)
    return answering.normalised(np.stack(scores))


def _rows(
    tokenizer: Any, stem: str, asked: Sequence[tuple[str, str]], labels: Sequence[str]
) -> tuple[list[list[int]], list[int]]:
    """Token ids of every (text, label), text by text, and where each label starts: after the longest prefix shared
    with the stem alone, since a label's first letters may be one token with what stands before it.

    asked: (what stands before, text).
    """
    rows, starts = [], []
    stems = tokenizer([before + stem.replace("{text}", text).strip() for before, text in asked])["input_ids"]
    filled = tokenizer(
        [before + (stem.replace("{text}", text) + label).strip() for before, text in asked for label in labels]
    )
    for number, ids in enumerate(filled["input_ids"]):
        if ids[-1] == tokenizer.eos_token_id:
            ids = ids[:-1]
        before = stems[number // len(labels)]
        shared = zip(before, ids[:-1], strict=False)
        start = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], shared))
        if start == 0:  # the first token needs something to follow
            ids, start = [tokenizer.bos_token_id or tokenizer.eos_token_id or 0, *ids], 1
        rows.append(ids)
        starts.append(start)
    return rows, starts


def _mean_log_probability(
    loaded: Loaded, starts: np.ndarray, batch: dict[str, torch.Tensor], indices: np.ndarray
) -> torch.Tensor:
    import torch

    ids = batch["input_ids"]
    first = int(starts[indices].min())
    keep = ids.shape[1] - first + 1
    fewer = {"logits_to_keep": keep} if loaded.takes("logits_to_keep") else {}  # a vocabulary wide: much memory
    logits = loaded.model(**batch, **fewer).logits[:, -keep:-1]
    each = logits.float().log_softmax(-1).gather(-1, ids[:, first:, None]).squeeze(-1)
    position = torch.arange(first, ids.shape[1], device=ids.device)
    inside = (position >= torch.as_tensor(starts[indices], device=ids.device)[:, None]) & (
        batch["attention_mask"][:, first:] == 1
    )
    mean: torch.Tensor = (each * inside).sum(-1) / inside.sum(-1)
    return mean[:, None]
