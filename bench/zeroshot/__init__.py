"""Ways of answering without training, one file each.

A way states `VERSION`, `GIVES` (an objective), `TEMPLATES` and `applies(facts, modality, labels, label_map)`, None or
the reason why not; `COLUMNS` where it needs some that a task may lack; `SHOTS = True` where it puts examples with
their answers (`Job.shots`) before what it asks; and may have `used(job)`: what of it belongs in the record's facts,
where that is not templates and labels.

One that gives classes has `load(folder, device, dtype, **options)`, with the options of `zero_shot.load`, and
`log_probabilities(loaded, inputs, labels, templates, how)`: float32 [templates, examples, labels], each row a
log-softmax; `how` is a `bench.modeling.inference.zero_shot.Settings`. Any other, and one that runs no model here, has
`adapt(job)`, which gives a `bench.training.job.Adapted`; where it has `load` too, `job.unlearnt` does most of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from bench import plugins
from bench.modeling.models.facts import Facts

ORDER = ("own-head", "own-value", "own-labels", "entailment", "cloze", "likelihood", "similarity", "label-prompts")


def choose(
    facts: Facts,
    modality: Literal["text", "image"],
    labels: Sequence[str],
    label_map: Mapping[str, str],
    gives: str = "classes",
    columns: Iterable[str] = (),
    *,
    shots: bool = False,
) -> tuple[str, None] | tuple[None, str]:
    """The first way to give such answers that applies, in `ORDER` and then by name; or else why none does.

    columns: the roles of the task's columns. shots: whether it has to take examples in its prompt.
    """
    if facts.random:
        return None, "its weights are random: it has learnt nothing to answer with"
    reasons = []
    for name in sorted(plugins.names("zeroshot"), key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER)):
        if gives != plugins.load("zeroshot", name).GIVES:
            continue
        reason = unfit(name, facts, modality, labels, label_map, gives, columns, shots=shots)
        if reason is None:
            return name, None
        reasons.append(f"{name}: {reason}")
    if facts.head == "endpoint":
        return None, f"a model behind an endpoint is not asked for {gives}"
    if not reasons:
        return None, f"nothing answers with {gives} without training"
    how = "from examples in a prompt" if shots else "without training"
    return None, f"it cannot answer {how} ({'; '.join(reasons)})"


def unfit(
    name: str,
    facts: Facts,
    modality: Literal["text", "image"],
    labels: Sequence[str],
    label_map: Mapping[str, str],
    gives: str,
    columns: Iterable[str],
    *,
    shots: bool,
) -> str | None:
    """None, or why a way does not suit this model and task."""
    way = plugins.load("zeroshot", name)
    if facts.random:
        return "its weights are random: it has learnt nothing to answer with"
    if gives != way.GIVES:
        return f"{name} answers with {way.GIVES}, the task asks for {gives}"
    if missing := sorted(set(getattr(way, "COLUMNS", ())) - set(columns)):
        return f"the task names no column {missing[0]}"
    if shots and not getattr(way, "SHOTS", False):
        return "it takes no examples in a prompt"
    reason: str | None = way.applies(facts, modality, labels, label_map)
    return reason
