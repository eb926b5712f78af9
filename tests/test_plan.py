"""The plan is a pure function of the suite, its lock and the records."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import factory
import pytest
from plan_suite import locked, suite

from bench.errors import SuiteError
from bench.execution import same_environment
from bench.execution.executor import Slot
from bench.execution.start_suite import loaded_by
from bench.planning import lock as locks
from bench.planning.estimate import Estimator, forecast
from bench.planning.plan import Cell, Plan, build, replan
from bench.probes import environment

EMPTY: dict[str, Any] = {"models": {}, "tasks": {}, "regimes": {}}


def states(plan: Plan) -> dict[tuple[str, int | str], str]:
    return {(cell.names.regime, cell.size): cell.state for cell in plan.cells}


def record(trial: Any, score: float, metric: str = "accuracy") -> dict[str, Any]:
    scores = {"metric": metric, "validation": {metric: score, "log_loss": 1 - score}}
    return {"status": "ok", "scores": scores, "trial": trial.to_json()}


def test_a_budget_that_leaves_some_seed_nothing_to_validate_on(tmp_path: Path) -> None:
    found = suite(tmp_path)
    plan = states(build(found, locked(found, [100, 100]), {}))
    assert plan["fixed", 5] == "planned"  # nothing is tuned, so nothing is validated
    assert plan["full", 40] == "waiting"
    four = build(found, locked(found, [1, 1]), {})
    assert states(four)["full", 5] == "not_applicable"
    assert "only 2 labelled examples" in str(next(c.reason for c in four.cells if c.state == "not_applicable"))


def test_what_is_locked_otherwise_than_asked_is_not_locked(tmp_path: Path) -> None:
    found = suite(tmp_path)
    lock = locked(found, [100, 100])
    assert "unresolved" not in states(build(found, lock, {})).values()
    other = suite(tmp_path, **{"[bad, good]": "[awful, good]"})
    assert set(states(build(other, lock, {})).values()) == {"unresolved"}


def test_what_is_locked_at_another_revision_is_not_locked(tmp_path: Path) -> None:
    """A lock of somebody else's names no other code than the commit that the suite trusts."""

    def unlocked(revision: str, lock: dict[str, Any]) -> set[str]:
        trust = ", trust_remote_code: true" if revision else ""
        other = suite(tmp_path, **{"{tiny: org/tiny}": f"{{tiny: {{hub: org/tiny{revision}{trust}}}}}"})
        request = {"request": next(order["request"] for *_, order in locks.orders(other, {**EMPTY}))}
        lock["models"]["tiny"] |= request
        return {section for section, _, is_locked, _ in locks.orders(other, lock) if not is_locked}

    lock = locked(suite(tmp_path), [100, 100])
    lock["models"]["tiny"]["fingerprint"] = "b" * 40
    assert unlocked(f", revision: {'b' * 40}", lock) == set()
    assert unlocked(f", revision: {'a' * 40}", lock) == {"models"}
    branch = suite(tmp_path, **{"org/mood}": "org/mood, revision: v2}"})
    tasks = {name for section, name, is_locked, _ in locks.orders(branch, lock) if not is_locked and section == "tasks"}
    assert tasks == set()  # a lock of before revisions stood in it
    lock["tasks"]["mood"]["revisions"] = {"": "main"}
    tasks = {name for section, name, is_locked, _ in locks.orders(branch, lock) if not is_locked and section == "tasks"}
    assert tasks == {"mood"}


def test_zero_shot_is_one_trial_and_templates_repeat_nothing_else(tmp_path: Path) -> None:
    found = suite(tmp_path)
    lock = locked(found, [100, 100])
    other = suite(tmp_path, **{"labels: [bad, good]": "labels: [bad, good], templates: ['{text} {label}']"})
    one, two = build(found, lock, {}).trials(), build(other, locked(other, [100, 100]), {}).trials()
    changed = {one[i].names.regime for i in one.keys() - two.keys()}
    assert changed == {"zero-shot"}
    assert sum(t.names.regime == "zero-shot" for t in one.values()) == 1


def test_forgetting_is_measured_on_tasks_of_classes(tmp_path: Path) -> None:
    more = "{tasks: \n  who: {kind: question-answering, data: {hub: org/who}}\n  "
    with pytest.raises(
        SuiteError, match=r"forgetting\[0\]: forgetting is measured on tasks of classes; 'who' gives texts"
    ):
        suite(tmp_path, **{"tasks: {mood:": f"forgetting: [who, mood]\n{more[1:]}mood:", "good]}}": "good]}"})
    found = suite(tmp_path, **{"tasks: {mood:": "forgetting: [mood]\ntasks: {mood:"})
    lock = locked(found, [100, 100])
    for head, forgotten in (("MaskedLM", {"mood"}), ("QuestionAnswering", set())):
        config = {"model_type": "bert", "vocab_size": 9, "architectures": [f"BertFor{head}"]}
        lock["models"]["tiny"]["files"] = {"config.json": json.dumps(config)}
        trials = [t for t in build(found, lock, {}).trials().values() if t.names.regime == "fixed"]
        assert trials
        assert all(set(t.regime.get("forgetting", {})) == forgotten for t in trials)


def test_few_shot_knows_its_templates_and_other_ids_do_not_change(tmp_path: Path) -> None:
    found = suite(tmp_path)
    without = build(found, locked(found, [100, 100]), {}).trials().keys()
    few = {"{zero-shot: ,": "{zero-shot: , few-shot: ,"}
    found = suite(tmp_path, **few)
    one = build(found, locked(found, [100, 100]), {}).trials()
    assert {one[i].names.regime for i in one.keys() - without} == {"few-shot"}
    assert without < one.keys()
    shots = [t for t in one.values() if t.names.regime == "few-shot"]
    assert {(t.size, t.seed, t.regime["way"]) for t in shots} == {(s, n, "cloze") for s in (5, 40) for n in range(3)}
    other = suite(tmp_path, **few, **{"labels: [bad, good]": "labels: [bad, good], templates: ['{text} {label}']"})
    two = build(other, locked(other, [100, 100]), {}).trials()
    assert {one[i].names.regime for i in one.keys() - two.keys()} == {"zero-shot", "few-shot"}


def test_what_trials_load_is_prepared_before_them_tasks_for_forgetting_too() -> None:
    one = factory.trial("m", "t", "full", 64, 0.0, 0)
    forgets = dataclasses.replace(one, regime={**one.regime, "forgetting": {"other": {}}})
    assert loaded_by([one, forgets]) == {("models", "m"), ("tasks", "t"), ("tasks", "other")}


def test_a_task_is_run_with_what_it_names_and_the_trials_stay_the_same(tmp_path: Path) -> None:
    names = {"models: {tiny: org/tiny}": "models: {tiny: org/tiny, other: org/other}"}
    whole = suite(tmp_path, **names)
    every = build(whole, locked(whole, [30, 30]), {})
    two = "labels: [bad, good], models: [tiny], regimes: [zero-shot, fixed]}, "
    two += "all: {kind: text-classification, data: org/a}}"
    fewer = suite(tmp_path, **names, **{"labels: [bad, good]}}": two})
    found = build(fewer, locked(fewer, [30, 30]), {})
    pairs = {(c.names.model, c.names.regime) for c in found.cells if c.names.task == "mood"}
    assert pairs == {("tiny", "zero-shot"), ("tiny", "fixed")}
    mood = {t.id for t in found.trials().values() if t.names.task == "mood"}
    wanted = {t.id for t in every.trials().values() if (t.names.model, t.names.regime) in pairs}
    assert mood == wanted


def test_planning_again_what_tuning_has_settled_gives_the_whole_plan(tmp_path: Path) -> None:
    found = suite(tmp_path, **{"sizes: [5, 40]": "sizes: [20, 40]\nlabel_noise: [0, 0.2]"})
    lock, latest = locked(found, [100, 100]), {}
    plan = first = build(found, lock, latest)
    for trial in [t for t in plan.trials().values() if t.names.regime == "full"]:
        latest[trial.id] = record(trial, 0.5)
        before, plan = plan, replan(plan, trial, lock, latest, frozenset())
        assert plan.to_json() == build(found, lock, latest).to_json()
        assert (plan is before) == (plan.to_json() == before.to_json())
    assert {cell.state for cell in plan.cells} == {"planned"}
    kept = [one is other for one, other in zip(first.cells, plan.cells, strict=True)]
    assert kept.count(True) == 5  # what waits for nothing is not planned again


def test_the_time_left_rests_on_steps_and_rows(tmp_path: Path) -> None:
    found = suite(tmp_path)
    lock = locked(found, [1000, 1000])
    lock["tasks"]["mood"]["classes"]["test"] = [500, 500]
    (full,) = (c for c in build(found, lock, {}).cells if (c.names.regime, c.size) == ("full", 40))
    unknown = Estimator(lock, [], [])
    assert forecast(Plan(found, [full]), {}, unknown).startswith("nothing is known yet")
    tried = build(found, lock, {}, smoke=True).trials().values()
    smoke = {t.names.regime: {
        "status": "ok", "trial": t.to_json(), "facts": {"test_examples": 16, "validation_examples": 4},
        "costs": {"seconds": {"total": 3.0, "train": 1.0, "test": 0.8, "validation": 0.2}, "steps": 2,
                  "step_seconds": {"median": 0.5}},
    } for t in tried}  # fmt: skip
    asked = Estimator(lock, [], [smoke["zero-shot"]])  # which says nothing of training
    assert forecast(Plan(found, [full]), {}, asked).startswith("nothing is known yet of how long some of them take")
    known = Estimator(lock, [], [smoke["full"]])
    steps, validation, test = 100 * 0.5, 8 * 0.05, 1000 * 0.05
    each = 0.2 + 1.0 + steps + validation + test
    assert known.seconds(full.tuning[0]) == pytest.approx(each)
    assert known.cell(full) == pytest.approx(9 * each)
    said = forecast(Plan(found, [full]), {}, known, 2)
    assert said == f"about {9 * each / 120:.0f} min left, 2 at a time, estimated from 1 smoke trial"
    known.learn({**smoke["full"], "costs": {**smoke["full"]["costs"], "step_seconds": {"median": 0.05}}})
    assert known.seconds(full.tuning[0]) < each - 40  # the suite's own comes before its smoke run's
    for odd in ({"seconds": None}, {"shared": "x"}, {"step_seconds": 1}, {"flops": 1}, {"seconds": {"total": "x"}}):
        record = {**smoke["full"], "costs": {**smoke["full"]["costs"], **odd}}
        assert not Estimator(lock, [record], []).known
    other = smoke["full"]["trial"] | {"names": {"model": "x", "task": "y", "regime": "z"}}
    assert Estimator(lock, [{**smoke["full"], "trial": other}], []).seconds(full.tuning[0]) == pytest.approx(each)


def test_a_cell_begun_in_another_environment_is_run_whole_in_this_one() -> None:
    here = {**environment.here(1), "device": "cpu", "packages": {**environment.here(1)["packages"], "torch": "0.1"}}
    cells = []
    for size, done in ((16, 2), (32, 3)):
        trials = [factory.trial("m", "t", "full", size, 0.0, seed) for seed in range(3)]
        cells.append((Cell(trials[0].names, size, 0.0, 3, reported=trials), trials[:done]))
    latest = {t.id: {"status": "ok", "trial": {}, "environment": here} for _, done in cells for t in done}
    plan = Plan(None, [cell for cell, _ in cells])  # type: ignore[arg-type]
    again, said = same_environment.begun_elsewhere(plan, latest, Slot("cpu", "cpu", 1))
    assert again == {t.id for t in cells[0][1]}
    assert said is not None
    assert re.search(r"\(torch 0.1 → [^)]+\); cells complete there that stay: 1; cells begun there .*: 1 ", said)
    same = {key: {**record, "environment": {**environment.here(1), "device": "cpu"}} for key, record in latest.items()}
    assert same_environment.begun_elsewhere(plan, same, Slot("cpu", "cpu", 1)) == (set(), None)
    on_device = Slot("cuda:0", "cuda:0", 1)
    assert same_environment.begun_elsewhere(plan, same, on_device)[0]
    for trial in (trial for cell, _ in cells for trial in cell.reported):
        trial.model["source"] = "endpoint"  # what it answers is no matter of this machine's device
    plan = Plan(None, [Cell(c.names, c.size, 0.0, 3, reported=c.reported) for c, _ in cells])  # type: ignore[arg-type]
    same = {t.id: next(iter(same.values())) for cell, done in cells for t in cell.reported[: len(done)]}
    assert same_environment.begun_elsewhere(plan, same, on_device) == (set(), None)
