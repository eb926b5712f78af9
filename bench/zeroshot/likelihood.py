"""A causal language model compares its labels' likelihoods: mean log-probability of the label's tokens after the text.

With `prior`, against the label's prior: minus the same with an empty text (Holtzman et al. 2021; with examples before
it, the contextual calibration of Zhao et al. 2021).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.modeling.inference.label_scoring import LabelScoring
from bench.modeling.inference.own_model import CausalModel

if TYPE_CHECKING:
    import numpy as np

    from bench.modeling.inference.zero_shot import Loaded, Settings


class Likelihood(CausalModel, LabelScoring):
    """Likelihoods of labels after the text."""

    VERSION = 1
    TEMPLATES = ("{text} It was {label}.", "{text} This is {label}.", "{text}\nLabel: {label}")

    def log_probabilities(
        self, loaded: Loaded, inputs: Sequence[Any], labels: Sequence[str], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [templates, examples, labels]. Raises UsageError for a template whose text follows its label."""
        import numpy as np

        from bench.modeling.inference import continuations, zero_shot
        from bench.modeling.prompts import few_shot_examples, fill_template

        texts = [fill_template.plain(example) for example in inputs] + [""] * how.prior
        examples = [(fill_template.plain(example), label) for example, label in how.few_shot]
        scores = []
        for number, template in enumerate(templates):
            whole = fill_template.with_text(template)
            stem = fill_template.stem(whole)
            longest = max(labels, key=lambda label: len(loaded.tokenizer(label)["input_ids"]))
            wrap = partial(fill_template.fill, stem + "{label}", label=longest)
            length, most = loaded.length(how.max_length), loaded.length(sys.maxsize)
            asked = few_shot_examples.ask(loaded.tokenizer, examples, whole, texts, wrap, length, most)
            rows, starts = label_rows(loaded.tokenizer, stem, asked, labels)
            found = zero_shot.run(
                zero_shot.tokens(loaded, {"input_ids": rows}),
                partial(continuations.mean_log_probability, loaded, np.array(starts)),
                how,
                part=(number, len(templates)),
            ).reshape(-1, len(labels))
            scores.append(found[:-1] - found[-1] if how.prior else found)
        return zero_shot.normalised(np.stack(scores))


def label_rows(
    tokenizer: Any, stem: str, asked: Sequence[tuple[str, str]], labels: Sequence[str]
) -> tuple[list[list[int]], list[int]]:
    """Token ids of every (text, label), text by text, and where each label starts. asked: (what is before, text)."""
    from bench.modeling.inference import continuations

    stems = [before + stem.replace("{text}", text).lstrip() for before, text in asked]
    return continuations.rows(tokenizer, stems, [list(labels)] * len(stems))
