"""Which models, tasks and regimes go together, and which cells have data enough: a list of rules, the first of which
that is broken is the reason shown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from bench import plugins
from bench.data.subsets import draw
from bench.errors import NotApplicable
from bench.modeling.models.facts import Facts
from bench.modeling.models.generation_models import extracts, writer
from bench.planning.combination import SMOKE, Combination
from bench.suite.trial import Size

Rule = Callable[[Combination], str | None]


def refusal(combination: Combination) -> str | None:
    """Why none of its trials can run: the first rule that it breaks; None where it breaks none."""
    return next((reason for rule in RULES if (reason := rule(combination)) is not None), None)


def config_is_readable(combination: Combination) -> str | None:
    """The model's config files can be read."""
    try:
        _ = combination.facts
    except NotApplicable as error:
        return str(error)
    return None


def modality_fits(combination: Combination) -> str | None:
    """The model reads what the task's inputs are."""
    model, task = combination.facts.modality, combination.task_kind.MODALITY
    return None if model in (None, task, "image-text") else f"the model takes {model}, the task is {task}"


def task_kind_allows(combination: Combination) -> str | None:
    """The task kind can be done by the model with the task's parameters."""
    return combination.task_kind.refuses(combination.facts, combination.task.parameters)


def weights_are_at_hand(combination: Combination) -> str | None:
    """No regime trains, or takes features of, a model behind an endpoint."""
    needs_weights = combination.regime_kind.TRAINS or combination.pooled
    if combination.facts.head == "endpoint" and needs_weights:
        return "it is behind an endpoint, whose weights cannot be trained"
    return None


def features_suffice(combination: Combination) -> str | None:
    """A probe needs a task that is answered from one feature vector an example."""
    if combination.pooled and not combination.objective.POOLED:
        return f"{combination.task.kind} is not answered from one feature vector an example"
    return None


def objective_applies(combination: Combination) -> str | None:
    """What is trained, is trained for an objective that the model can have."""
    if not combination.regime_kind.TRAINS:
        return None
    return combination.objective.applies(combination.facts)


def augmentation_applies(combination: Combination) -> str | None:
    """The task's training inputs can be varied as the suite says, where it has images and a regime that trains."""
    kind, asked = combination.task_kind, combination.suite.training.augmentation
    if kind.MODALITY != "image" or not combination.regime_kind.TRAINS or asked in kind.AUGMENTED:
        return None
    return f"augmentation: {asked} is not for {combination.task.kind}; it takes {', '.join(kind.AUGMENTED)}"


def regime_applies(combination: Combination) -> str | None:
    """The regime has a way to work with the model and the task."""
    try:
        _ = combination.resolved
    except NotApplicable as error:
        return str(error)
    return None


def sequence_trains(combination: Combination) -> str | None:
    """After another task comes only what trains weights."""
    kind = combination.regime_kind
    if combination.task.after is None or (kind.TRAINS and not kind.NEW_ALONE):
        return None
    return f"it trains no weights that {combination.task.after} could change for this task"


def sequence_keeps_weights(combination: Combination) -> str | None:
    """After another task comes only what starts from pretrained weights."""
    if combination.task.after is None or combination.regime_kind.PRETRAINED:
        return None
    return f"it starts from random weights, so nothing of {combination.task.after} would be left"


def sequence_trains_the_same_parts(combination: Combination) -> str | None:
    """Both tasks of a sequence train the same parts of an encoder-decoder."""
    after, facts = combination.task.after, combination.facts
    if after is None or writer(facts) not in ("encoder-decoder", "joined"):
        return None
    if _generates(combination.task.kind, facts) == _generates(combination.suite.tasks[after].kind, facts):
        return None
    return f"one of it and {after} trains an encoder alone, the other a decoder too"


RULES: tuple[Rule, ...] = (
    config_is_readable, modality_fits, task_kind_allows, weights_are_at_hand, features_suffice, objective_applies,
    augmentation_applies, regime_applies, sequence_trains, sequence_keeps_weights, sequence_trains_the_same_parts,
)  # fmt: skip


def no_label_noise(combination: Combination, noise: float) -> str | None:
    """Why the labels of the task cannot be made wrong, where some are to be; or None."""
    if noise and not combination.objective.NOISE:
        return "there is no label noise for this kind of task"
    return None


def too_few_labels(combination: Combination, size: Size, seeds: Sequence[int]) -> str | None:
    """Why the training split cannot give this many labels, or none to validate on to one of the seeds; or None.

    seeds: those whose validation score decides something."""
    classes = combination.task_lock["classes"]["train"]
    pool = SMOKE["examples"] * 4 if combination.smoke else sum(classes)
    if isinstance(size, int) and size > pool:
        return f"the training split has only {pool} labelled examples"
    fraction = combination.suite.validation
    if fraction == "full" or (pool if isinstance(size, str) else size) * fraction >= 2 * len(classes):
        return None
    if all(_held_out(tuple(classes), size, fraction, seed) for seed in seeds):
        return None
    return f"of {size} labels none is left to validate on; take more, or `validation: full`, or fix what is tuned"


def _generates(kind: str, facts: Facts) -> bool:
    """Whether a model answers a kind of task by generating text, and not with a head over its encoder."""
    gives = plugins.load("tasks", kind).OBJECTIVE
    return not extracts(facts) if gives == "spans" else plugins.load("objectives", gives).ANSWERS == "texts"


@functools.cache
def _held_out(classes: tuple[int, ...], size: Size, validation: float, seed: int) -> int:
    """How many labels are held out. Small budgets differ by seed: it decides which class comes first."""
    labels = np.repeat(np.arange(len(classes)), classes)
    return len(draw(labels, size, validation, seed).validation)
