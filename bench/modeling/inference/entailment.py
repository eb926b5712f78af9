"""What a model of entailment judges of a text and each label's sentence. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts

TEMPLATES = ("This text is about {label}.", "This example is {label}.", "It is {label}.")


def refusal(facts: Facts, question: Question) -> str | None:
    """Why a model does not judge entailment, or None."""
    if question.modality != "text" or facts.head != "sequence-classification" or column(facts.labels or ()) is None:
        return "it is no text classifier with a label 'entailment'"
    return None


def column(names: Sequence[str], *beginnings: str) -> int | None:
    """The first of a model's labels that begins so, `entail` where nothing is said."""
    found = [i for i, name in enumerate(names) if name.casefold().startswith(beginnings or "entail")]
    return found[0] if found else None


def log_likelihoods(
    loaded: Loaded, inputs: Sequence[Any], labels: Sequence[str], templates: Sequence[str], how: Settings
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
