"""Ways of answering without training, one file each.

A way states `VERSION`, `GIVES` (an objective), `TEMPLATES`, where it needs columns that a task may lack `COLUMNS`, and
`applies(facts, modality, labels, label_map)`, None or the reason why not. One that gives classes has `load(folder,
device, dtype)`, and `log_probabilities(loaded, inputs, labels, templates, how)`, `how` being
`bench.modeling.answering.Settings`: float32 [templates, examples, labels], each row a log-softmax. Any other has
`adapt(job)`, which gives a `bench.training.job.Adapted`; where it has `load` too, `job.unlearnt` does most of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from bench import plugins
from bench.modeling.facts import Facts

ORDER = ("own-head", "entailment", "cloze", "likelihood", "similarity", "label-prompts", "as-is", "own-value",
         "cosine", "own-labels", "entailment-each")  # fmt: skip


def choose(
    facts: Facts,
    modality: Literal["text", "image"],
    labels: Sequence[str],
    label_map: Mapping[str, str],
    gives: str = "classes",
    columns: Iterable[str] = (),
) -> tuple[str, None] | tuple[None, str]:
    """The first way to give such answers that applies, in `ORDER` and then by name; or else why none does.

    columns: the roles of the task's columns.
    """
    names = plugins.names("zeroshot")
    reasons = []
    for name in sorted(names, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER)):
        way = plugins.load("zeroshot", name)
        if gives != way.GIVES:
            continue
        reason = lacking(name, gives, columns) or way.applies(facts, modality, labels, label_map)
        if reason is None:
            return name, None
        reasons.append(f"{name}: {reason}")
    if not reasons:
        return None, f"nothing answers with {gives} without training"
    return None, "it cannot answer without training (" + "; ".join(reasons) + ")"


def lacking(name: str, gives: str, columns: Iterable[str]) -> str | None:
    """Why a way does not fit a task, whatever the model; None where it does."""
    way = plugins.load("zeroshot", name)
    if gives != way.GIVES:
        return f"{name} answers with {way.GIVES}, the task asks for {gives}"
    missing = sorted(set(getattr(way, "COLUMNS", ())) - set(columns))
    return f"the task names no column {missing[0]}" if missing else None
