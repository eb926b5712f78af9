"""Ways of answering without training, one file each.

A way states `VERSION`, `GIVES` (an objective), `TEMPLATES` and `applies(facts, modality, labels, label_map)`, None or
the reason why not. One that gives classes has `load(folder, device, dtype)`, and `log_probabilities(loaded, inputs,
labels, templates, how)`, `how` being `bench.modeling.answering.Settings`: float32 [templates, examples, labels], each
row a log-softmax. Any other has `adapt(job)`, which gives a `bench.training.job.Adapted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from bench import plugins
from bench.modeling.facts import Facts

ORDER = ("own-head", "entailment", "cloze", "likelihood", "similarity", "label-prompts")
RANDOM = "its weights are random: it has learnt nothing to answer with"


def choose(
    facts: Facts,
    modality: Literal["text", "image"],
    labels: Sequence[str],
    label_map: Mapping[str, str],
    gives: str = "classes",
) -> tuple[str, None] | tuple[None, str]:
    """The first way to give such answers that applies, in `ORDER` and then by name; or else why none does."""
    if facts.random:
        return None, RANDOM
    names = plugins.names("zeroshot")
    reasons = []
    for name in sorted(names, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER)):
        if gives != plugins.load("zeroshot", name).GIVES:
            continue
        reason = applies(name, facts, modality, labels, label_map)
        if reason is None:
            return name, None
        reasons.append(f"{name}: {reason}")
    if not reasons:
        return None, f"nothing answers with {gives} without training"
    return None, "it cannot answer without training (" + "; ".join(reasons) + ")"


def applies(
    name: str,
    facts: Facts,
    modality: Literal["text", "image"],
    labels: Sequence[str],
    label_map: Mapping[str, str],
) -> str | None:
    """None, or why this way does not suit the model and the task."""
    reason: str | None = plugins.load("zeroshot", name).applies(facts, modality, labels, label_map)
    return RANDOM if facts.random else reason
