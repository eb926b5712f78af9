"""Ways of answering without training, one file each.

A way states `VERSION`, `GIVES` (an objective), `TEMPLATES` and `applies(facts, modality, labels, label_map)`, None or
the reason why not. One that gives classes has `load(folder, device, dtype)`, and `log_probabilities(loaded, inputs,
labels, templates, how)`, `how` being `bench.modeling.answering.Settings`: float32 [templates, examples, labels], each
row a log-softmax. Any other, and one that runs no model here, has `adapt(job)`: a `bench.training.job.Adapted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from bench import plugins
from bench.modeling.facts import Facts

ORDER = (
    *("own-head", "entailment", "cloze", "likelihood", "similarity", "label-prompts", "as-is"),
    *("endpoint", "endpoint-texts"),
)


def choose(
    facts: Facts,
    modality: Literal["text", "image"],
    labels: Sequence[str],
    label_map: Mapping[str, str],
    gives: str = "classes",
) -> tuple[str, None] | tuple[None, str]:
    """The first way to give such answers that applies, in `ORDER` and then by name; or else why none does."""
    names = plugins.names("zeroshot")
    reasons = []
    for name in sorted(names, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER)):
        way = plugins.load("zeroshot", name)
        if gives != way.GIVES:
            continue
        reason = way.applies(facts, modality, labels, label_map)
        if reason is None:
            return name, None
        reasons.append(f"{name}: {reason}")
    if not reasons:
        return None, f"nothing answers with {gives} without training"
    return None, "it cannot answer without training (" + "; ".join(reasons) + ")"
