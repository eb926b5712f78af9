"""Chooses how a pretrained model answers a task without training. Imports nothing heavy."""

from __future__ import annotations

from bench import plugins
from bench.contracts import Question
from bench.errors import NotApplicable
from bench.modeling.models.facts import Facts
from bench.suite.trial import Json

ORDER = ("own-head", "own-value", "own-labels", "entailment", "cloze", "likelihood", "similarity", "label-prompts")


def choose(facts: Facts, question: Question, *, few_shot: bool = False) -> tuple[str, None] | tuple[None, str]:
    """The first way to give such answers that applies, in `ORDER` and then by name; or else why none does.

    few_shot: whether it has to take examples in its prompt.
    """
    if facts.random:
        return None, "its weights are random: it has learnt nothing to answer with"
    objective, reasons = question.objective, []
    for name in sorted(plugins.names("zeroshot"), key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER)):
        if objective != plugins.load("zeroshot", name).OBJECTIVE:
            continue
        reason = unfit(name, facts, question, few_shot=few_shot)
        if reason is None:
            return name, None
        reasons.append(f"{name}: {reason}")
    if facts.head == "endpoint":
        return None, f"a model behind an endpoint is not asked for {objective}"
    if not reasons:
        return None, f"nothing answers with {objective} without training"
    how = "from examples in a prompt" if few_shot else "without training"
    return None, f"it cannot answer {how} ({'; '.join(reasons)})"


def unfit(name: str, facts: Facts, question: Question, *, few_shot: bool = False) -> str | None:
    """None, or why a way does not suit this model and task."""
    way = plugins.load("zeroshot", name)
    if facts.random:
        return "its weights are random: it has learnt nothing to answer with"
    if question.objective != way.OBJECTIVE:
        return f"{name} answers with {way.OBJECTIVE}, the task asks for {question.objective}"
    if missing := sorted(set(way.COLUMNS) - set(question.columns)):
        return f"the task names no column {missing[0]}"
    if few_shot and not way.FEW_SHOT:
        return "it takes no examples in a prompt"
    return way.applies(facts, question)


def resolve(facts: Facts, question: Question, name: str | None, *, few_shot: bool = False) -> Json:
    """The way a model answers, for its trial to hold. name: the one the suite asks for; None: the first that applies.

    Raises NotApplicable where the model has none, or not this one.
    """
    if name is None:
        way, reason = choose(facts, question, few_shot=few_shot)
    else:
        way, reason = name, unfit(name, facts, question, few_shot=few_shot)
    if way is None or reason is not None:
        raise NotApplicable(str(reason))
    return {"way": way, "way_version": plugins.load("zeroshot", way).VERSION}
