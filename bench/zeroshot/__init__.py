"""Ways of answering without training, one file each.

A way states `VERSION`, `GIVES` (an objective), `TEMPLATES` and `applies(facts, modality, labels, label_map)`, None or
the reason why not; `SHOTS = True` where it puts examples with their answers (`Job.shots`) before what it asks; and may
have `used(job)`: what of it belongs in the record's facts, where that is not templates and labels.

One that gives classes has `load(folder, device, dtype)`, and `log_probabilities(loaded, inputs, labels, templates,
how)`, `how` being `bench.modeling.answering.Settings`: float32 [templates, examples, labels], each row a log-softmax.
Any other, and one that runs no model here, has `adapt(job)`, which gives a `bench.training.job.Adapted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
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
    shots: bool = False,
) -> tuple[str, None] | tuple[None, str]:
    """The first way to give such answers that applies, in `ORDER` and then by name; or else why none does.

    shots: whether it has to take examples in its prompt.
    """
    names = plugins.names("zeroshot")
    reasons = []
    for name in sorted(names, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER)):
        way = plugins.load("zeroshot", name)
        if gives != way.GIVES:
            continue
        reason = way.applies(facts, modality, labels, label_map) or refuses(way, shots)
        if reason is None:
            return name, None
        reasons.append(f"{name}: {reason}")
    if not reasons:
        return None, f"nothing answers with {gives} without training"
    how = "from examples in a prompt" if shots else "without training"
    return None, f"it cannot answer {how} ({'; '.join(reasons)})"


def refuses(way: ModuleType, shots: bool) -> str | None:
    """None, or that a way takes no examples in its prompt where it has to."""
    return "it takes no examples in a prompt" if shots and not getattr(way, "SHOTS", False) else None
