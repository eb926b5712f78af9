"""What the trials of one model, task and regime share: every field but size, noise, seed and what is tuned."""

from __future__ import annotations

from typing import Any

from bench import plugins
from bench.modeling.inference import choose_way
from bench.modeling.inference.label_scoring import LabelScoring
from bench.planning.combination import SMOKE, Combination, labelled_spec, question
from bench.planning.lock import also_places, split
from bench.suite.parameters import Budget, TrainedParameters, Training
from bench.suite.trial import Json, Trial


def shared_fields(combination: Combination, first: Trial | None) -> dict[str, Any]:
    """The fields of a combination that breaks no rule of `eligibility`. first: a clean trial of the task that comes
    first, with whose weights, seed by seed, its trials start."""
    suite, task, trains = combination.suite, combination.task, combination.regime_kind.TRAINS
    own = combination.regime.parameters.model_dump(mode="json")
    source = suite.models[combination.names.model]
    content, model_place = split(source.parameters)
    _, data_place = split(task.data.parameters)
    forgetting, forgetting_places = _forgetting(combination) if trains else ({}, {})
    fields = {
        "model": {"source": source.source, "version": plugins.load("model_sources", source.source).VERSION,
                  "parameters": content, "fingerprint": combination.model_lock["fingerprint"]},
        "task": _task(combination),
        "regime": _regime(combination, own, forgetting),
        "validation": suite.validation,
        "budget": _budget(combination, own) if trains else {},
        "training": _training(combination, own),
        "limits": {"examples": SMOKE["examples"]} if combination.smoke else {},
        "locations": {"model": model_place, "data": data_place, "forgetting": forgetting_places,
                      "also_test": also_places(task)},
        "names": combination.names,
    }  # fmt: skip
    if first is not None:
        _start_after(fields, first)
    return fields


def _task(combination: Combination) -> Json:
    """The task's spec. What only zero-shot looks at may not change the ids of regimes that learn from labels."""
    spec: Json = dict(combination.spec)
    if combination.regime_kind.LABELS:
        unseen = {"label_map"} | (set() if combination.regime_kind.PROMPTS else {"templates"})
        spec["parameters"] = {k: v for k, v in spec["parameters"].items() if k not in unseen}
    return spec


def _regime(combination: Combination, own: Json, forgetting: Json) -> Json:
    """The regime's spec, without the parameters that stand in the trial's training, budget or `tuned`; with the bounds
    of what a trial tunes by itself."""
    kind, search = combination.regime_kind, combination.search
    elsewhere = set(TrainedParameters.model_fields) if kind.TRAINS else set()
    if search is not None:
        elsewhere |= {search.parameter}
        own = {**own, search.parameter: [search.low, search.high]}
        elsewhere -= {search.parameter} if combination.tunes_within else set()
    return {
        "kind": combination.regime.kind,
        "version": kind.VERSION,
        **combination.resolved,
        **({"forgetting": forgetting} if forgetting else {}),
        "parameters": {name: value for name, value in own.items() if name not in elsewhere},
    }


def _forgetting(combination: Combination) -> tuple[Json, Json]:
    """The tasks on which to measure what training cost: those this model can answer without training, and where their
    data lie."""
    found, places = {}, {}
    for name in combination.suite.forgetting:
        task, task_lock = combination.suite.tasks[name], combination.lock["tasks"].get(name)
        if task_lock is None:
            continue
        spec = labelled_spec(combination.suite, task, task_lock)
        way, _ = choose_way.choose(combination.facts, question(task, spec))
        if way is not None and isinstance(plugins.load("zeroshot", way), LabelScoring):
            found[name] = {"task": spec, "way": way, "way_version": plugins.load("zeroshot", way).VERSION}
            places[name] = split(task.data.parameters)[1]
    return found, places


def _training(combination: Combination, own: Json) -> Json:
    """The suite's training settings, the regime's own first; where nothing is trained, those that bear on answering."""
    training = combination.suite.training.model_dump(mode="json")
    if not combination.regime_kind.TRAINS:
        return {name: training[name] for name in ("precision", "evaluation_batch_size")}
    training |= {name: own[name] for name in ("batch_size", "weight_decay") if own.get(name) is not None}
    training = Training.model_validate(training).model_dump(mode="json")
    if combination.task_kind.MODALITY != "image":
        training.pop("augmentation", None)
    policy = training.pop("batch_norm", "auto")
    if combination.facts.convolutional or (policy != "auto" and combination.facts.modality == "image"):
        training["batch_norm"] = policy  # trials of other models have nothing that it could change
    return training


def _budget(combination: Combination, own: Json) -> Json:
    """The budget's unit and what bears on it; the regime's own amount where it has one."""
    if combination.smoke:
        return {"steps": SMOKE["steps"]}
    budget = combination.suite.budget
    for unit in ("epochs", "steps"):
        if own.get(unit) is not None:
            budget = Budget.model_validate({unit: own[unit], "min_steps": budget.min_steps})
    bearing = {"epochs": ("min_steps",), "until": ("patience", "max_epochs", "min_steps")}.get(budget.unit, ())
    return {name: getattr(budget, name) for name in (budget.unit, *bearing)}


def _start_after(fields: dict[str, Any], first: Trial) -> None:
    """Have trials start from where those of the task before end."""
    regime = {key: value for key, value in first.regime.items() if key != "forgetting"}
    fields["regime"]["after"] = {"task": first.task, "regime": regime, "size": first.size, "tuned": first.tuned}
    places = {key: first.locations[key] for key in ("data", "also_test")}
    fields["locations"]["after"] = {**places, "name": first.names.task}
