"""A causal language model compares likelihoods: mean log-probability of a choice's tokens after the context.

With `prior`, against the choice's prior: minus the same with an empty context (Holtzman et al. 2021). An example in the
prompt is a filled template with its right choice.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.modeling.inference.own_model import Asked, CausalModel

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context
    from bench.modeling.inference.zero_shot import Loaded, Settings


class ChoiceLikelihood(CausalModel, Asked):
    """Likelihoods of choices after the context."""

    VERSION = 1
    OBJECTIVE = "choices"
    TEMPLATES = ("{text} {label}",)

    def answers(
        self, context: Context, loaded: Loaded, inputs: Sequence[Any], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [templates, n, most choices], -inf where an example has fewer. inputs: (context, choice, …).

        Raises UsageError for a template whose context follows its choice.
        """
        import numpy as np

        from bench.modeling.encoding import choices as choosing
        from bench.modeling.inference import zero_shot
        from bench.modeling.prompts import fill_template

        scores = []
        for number, template in enumerate(templates):
            whole = fill_template.with_text(template)
            part = (2 * number, 2 * len(templates)) if how.prior else (number, len(templates))
            found = _means(loaded, whole, inputs, how, part)
            if how.prior:
                found -= _means(loaded, whole, [("", *choices) for _, *choices in inputs], how, (part[0] + 1, part[1]))
            scores.append(choosing.spread(found, inputs))
        return zero_shot.normalised(np.stack(scores))


def _means(
    loaded: Loaded, template: str, inputs: Sequence[Sequence[str]], how: Settings, part: tuple[int, int]
) -> np.ndarray:
    """Each choice's mean log-probability after its context, float32 [pairs]; only contexts are cut."""
    import numpy as np

    from bench.modeling.inference import continuations, zero_shot
    from bench.modeling.prompts import few_shot_examples, fill_template

    stem, length, most = fill_template.stem(template), loaded.length(how.max_length), loaded.length(sys.maxsize)
    examples = [(context, answer) for (context, *_), answer in how.few_shot]
    stems = []
    for context, *choices in inputs:
        longest = max(choices, key=lambda choice: len(loaded.tokenizer(choice)["input_ids"]))
        wrap: Any = partial(fill_template.fill, stem + "{label}", label=longest)
        ((before, short),) = few_shot_examples.ask(loaded.tokenizer, examples, template, [context], wrap, length, most)
        stems.append(before + stem.replace("{text}", short).lstrip())
    rows, starts = continuations.rows(loaded.tokenizer, stems, [list(choices) for _, *choices in inputs])
    encoded = zero_shot.tokens(loaded, {"input_ids": rows})
    mean = partial(continuations.mean_log_probability, loaded, np.array(starts))
    return zero_shot.run(encoded, mean, how, part=part)[:, 0]
