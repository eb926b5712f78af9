"""A task learnt after another: where it starts, what is left of the first, and what is computed once."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from continued_trials import continuing
from tiny_models import tiny_bert, tiny_causal, tiny_image
from tiny_tasks import adapt, attempt, context, image_task, order, text_task, trial

from bench import api, plugins
from bench.errors import NotApplicable, SuiteError
from bench.execution.start_suite import loaded_by
from bench.planning import lock as locks
from bench.planning.plan import Cell, Plan, build
from bench.suite.trial import SCHEMA, Json, Trial
from bench.training import fit, starting_weights
from bench.training.build import build as build_model
from bench.trial import task_sequence
from bench.trial.run import run

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
CPU = torch.device("cpu")
METRICS = ["brier", "accuracy"]
STILL, MOVED = {"learning_rate": 1e-12}, {"learning_rate": 3e-2}


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    (tmp_path / "bert").mkdir()
    tiny_bert("BertForMaskedLM", tmp_path / "bert")
    return tmp_path / "bert"


def judged(task: tuple[Json, Json]) -> tuple[Json, Json]:
    """Scored by a metric that any change of the weights changes."""
    task[0]["parameters"]["metrics"] = METRICS
    return task


def texts(folder: Path, count: int) -> tuple[Json, Json]:
    folder.mkdir()
    return judged(text_task(folder, train=count))


def of(model: Path, task: tuple[Json, Json], regime: str, **changes: Any) -> Trial:
    if regime == "continued-pretraining":
        return continuing(model, task, **changes)
    own: dict[str, Any] = {"lora": {"r": 2}, "partial": {"blocks": 1}}
    return trial(model, task, regime, own.get(regime), **changes)


def after(second: Trial, first: Trial) -> Trial:
    """The second trial, as the plan has it follow the first."""
    kept = {key: getattr(first, key) for key in ("task", "regime", "size", "tuned")}
    place = {"data": first.locations["data"], "name": "first"}
    return dataclasses.replace(
        second, regime={**second.regime, "after": kept}, locations={**second.locations, "after": place}
    )


def record_of(trial: Trial, results: Path) -> Json:
    record: Json = {"status": "ok"}
    run(order(trial, results), CPU, 1, lambda *_: None, record)
    return record


@pytest.mark.parametrize("regime", ["full", "lora", "partial", "continued-pretraining"])
def test_what_is_left_of_a_task_that_nothing_followed_is_all_of_it(regime: str, bert: Path, tmp_path: Path) -> None:
    first = of(bert, texts(tmp_path / "a", 44), regime, tuned=MOVED, size=40)
    more = {"size": 24}
    second, moving = (of(bert, texts(tmp_path / f"b{i}", 50), regime, tuned=how, **more)
                      for i, how in enumerate((STILL, MOVED)))  # fmt: skip
    alone = record_of(first, tmp_path / "results")["scores"]["test"]
    record = record_of(after(second, first), tmp_path / "results")
    found = record["scores"]["after"]
    assert (found["task"], found["metric"]) == ("first", "brier")
    assert found["before"] == pytest.approx(alone)
    if regime != "continued-pretraining":  # whose pretraining moves the weights, whatever the rate after it
        assert found["after"]["brier"] == pytest.approx(found["before"]["brier"], rel=1e-4)
    assert found["without"] == record_of(second, tmp_path / "results")["scores"]["test"]
    assert record["scores"]["test"]["brier"] != pytest.approx(found["without"]["brier"], abs=1e-4)
    moved = record_of(after(moving, first), tmp_path / "results")["scores"]["after"]
    assert moved["before"] == found["before"]
    assert moved["after"]["brier"] != pytest.approx(moved["before"]["brier"], abs=1e-4)


def test_the_second_task_starts_from_the_bits_that_the_first_left(bert: Path, tmp_path: Path) -> None:
    first = of(bert, texts(tmp_path / "a", 44), "lora", tuned=MOVED)
    second = after(of(bert, texts(tmp_path / "b", 50), "lora", seed=4), first)
    assert task_sequence.first_of(second).id == dataclasses.replace(first, seed=4).id
    assert "after" not in task_sequence.alone_of(second).regime
    found, ledger = context(second, tmp_path / "results")
    start = task_sequence.begin(found, ledger, attempt(second, tmp_path / "results"))
    started = build_model(found.replace(start=start), pretrained=True).backbone.state_dict()
    _, _, adapted = adapt(task_sequence.first_of(second), tmp_path / "results")
    learnt = starting_weights.merged(adapted.backbone).state_dict()
    assert started.keys() == learnt.keys()
    assert all(torch.equal(started[name], learnt[name]) for name in learnt)
    untouched = build_model(found, pretrained=True).backbone.state_dict()
    assert any(not torch.equal(started[name], untouched[name]) for name in learnt)


def test_images_too_and_tasks_that_differ_in_their_answers(tmp_path: Path) -> None:
    (tmp_path / "vit").mkdir()
    tiny_image("vit", tmp_path / "vit")
    for name in "ab":
        (tmp_path / name).mkdir()
    first, second = (of(tmp_path / "vit", judged(image_task(tmp_path / name)), "full", seed=1) for name in "ab")
    second = after(dataclasses.replace(second, size=20), first)
    assert record_of(second, tmp_path / "results")["scores"]["after"]["before"]["accuracy"] > 0
    (tmp_path / "gpt2").mkdir()
    tiny_causal("gpt2", tmp_path / "gpt2")
    classes = texts(tmp_path / "c", 44)
    written = {**classes[0], "kind": "text-generation", "columns": {"prompt": "text", "answer": "label"},
               "parameters": {"max_target": 8, "decoding": {"max_new_tokens": 4}}}  # fmt: skip
    first, second = (of(tmp_path / "gpt2", task, "full") for task in (classes, (written, classes[1])))
    for one, other in ((first, second), (second, first)):
        found = record_of(after(other, one), tmp_path / "results")["scores"]["after"]
        assert found["before"].keys() == found["after"].keys() != found["without"].keys()


@pytest.mark.parametrize("kind", ["language-modeling", "question-answering"])
def test_what_an_encoder_read_it_can_classify_and_the_other_way_round(kind: str, bert: Path, tmp_path: Path) -> None:
    classes = texts(tmp_path / "a", 44)
    if kind == "language-modeling":
        own: Json = {"columns": {"text": "text"}, "parameters": {"max_length": 16, "stride": 8}}
        other = {**classes[0], "kind": kind, **own}, classes[1]
    else:
        rows = [f"the film was a {word} end {i}" for i in range(40) for word in ("good", "dull")]
        lines = [
            {"question": "what film", "context": row, "answers": {"text": [row.split()[4]], "answer_start": [15]}}
            for row in rows
        ]
        (tmp_path / "qa.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        files = {name: str(tmp_path / "qa.jsonl") for name in ("train", "test")}
        columns = {role: role for role in ("question", "context", "answers")}
        own = {"columns": columns, "splits": {"train": "train", "test": 0.3}, "parameters": {"max_length": 32}}
        source = plugins.load("data_sources", "files")
        locked = source.lock(source.Parameters.model_validate({"files": files}))
        other = {**classes[0], "kind": kind, **own, "data": classes[0]["data"] | locked}, {"files": files}
    first, second = (of(bert, task, "full") for task in (classes, other))
    for one, then in ((first, second), (second, first)):
        found = record_of(after(then, one), tmp_path / "results")["scores"]["after"]
        assert found["before"].keys() == found["after"].keys() != found["without"].keys()


def test_the_first_task_is_learnt_once_for_all_that_follow(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    original = fit.train
    monkeypatch.setattr(fit, "train", lambda *given, **how: trained.append(1) or original(*given, **how))
    first = of(bert, texts(tmp_path / "a", 44), "full")
    task = texts(tmp_path / "b", 50)
    records = []
    for count, changes in ((3, {}), (2, {"noise": 0.2}), (3, {"seed": 1})):
        del trained[:]
        records.append(record_of(after(of(bert, task, "full", **changes), first), tmp_path / "results"))
        assert len(trained) == count  # itself; for a score also itself without the first; and the first of each seed
    assert len({record["costs"]["seconds"]["after"] for record in records}) == 2
    for record in records:
        seconds = record["costs"]["seconds"]
        assert record["costs"]["shared"]["after"]["train"] < seconds["after"]
        assert seconds["total"] >= 0.99 * sum(value for name, value in seconds.items() if name != "total")


def test_what_goes_wrong_on_the_first_task_says_so(bert: Path, tmp_path: Path) -> None:
    deep = trial(bert, texts(tmp_path / "a", 44), "partial", {"blocks": 9})
    second = after(of(bert, texts(tmp_path / "b", 50), "partial"), deep)
    with pytest.raises(NotApplicable, match="on first, which comes first: the model has only 2 blocks"):
        record_of(second, tmp_path / "results")


SUITE = """
name: after
models: {tiny: org/tiny}
tasks:
  second: {kind: text-classification, data: {hub: org/b}, labels: [bad, good], sizes: [20]}
  first: {kind: text-classification, data: {hub: org/a}, labels: [bad, good], label_noise: [0.2]}
  pictures: {kind: image-classification, data: {hub: org/c}, labels: [bad, good]}
regimes: {zero-shot: , linear-probe: , head: , full: , retrain: , fixed: {regime: lora, learning_rate: 1e-4}}
sizes: [30, 40]
seeds: 2
tuning: {trials: 3}
forgetting: [first]
"""
AFTER = {"sizes: [20]": "sizes: [20], after: first"}
CONFIG = json.dumps({"model_type": "bert", "architectures": ["BertForMaskedLM"]})


def planned(tmp_path: Path, changes: dict[str, str], latest: Json | None = None, config: str = CONFIG) -> Plan:
    text = SUITE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "suite.yaml").write_text(text)
    found = api.load_suite(tmp_path / "suite.yaml")
    lock: Json = {"schema": SCHEMA, "models": {}, "tasks": {}, "regimes": {}}
    entries: Json = {
        "models": {"fingerprint": "m", "files": {"config.json": config}},
        "tasks": {"fingerprint": "t", "labels": ["bad", "good"], "classes": {"train": [50, 50], "test": [9, 9]}},
    }
    for section, name, _, asked in locks.orders(found, lock):
        lock[section][name] = {"request": asked["request"], **entries.get(section, {})}
    return build(found, lock, latest or {})


def cell(plan: Plan, task: str, regime: str) -> Cell:
    """The largest."""
    return [c for c in plan.cells if (c.names.task, c.names.regime) == (task, regime)][-1]


def scored(trials: list[Trial]) -> Json:
    """Records of tuning trials: the middle value is the best of seed 0, the default of the other, and so chosen."""
    return {
        t.id: {"status": "ok", "trial": t.to_json(), "scores": {"metric": "accuracy", "validation": {
            "accuracy": 0.9 if t.tuned["learning_rate"] == 5e-5 else 0.5}}}
        for t in trials
    }  # fmt: skip


def test_a_task_waits_for_the_tuning_of_the_one_before(tmp_path: Path) -> None:
    plan = planned(tmp_path, AFTER)
    waiting, first = cell(plan, "second", "full"), cell(plan, "first", "full")
    assert (waiting.state, waiting.reported) == ("waiting", [])
    assert [t.id for t in waiting.tuning] == [t.id for t in first.tuning]  # it alone may be asked for
    latest = scored(first.tuning)
    own = cell(planned(tmp_path, AFTER, latest), "second", "full")
    assert (own.state, len(own.tuning)) == ("waiting", 6)
    assert {t.names.task for t in own.tuning} == {"second"}
    plan = planned(tmp_path, AFTER, latest | scored(own.tuning))
    ready, before = cell(plan, "second", "full"), cell(plan, "first", "full")
    assert ready.state == before.state == "planned"
    assert {t.regime["after"]["size"] for t in (*ready.tuning, *ready.reported)} == {40}
    assert ready.reported[1].regime["after"]["tuned"] == before.reported[1].tuned == {"learning_rate": 5e-5}
    clean = dataclasses.replace(before.reported[1], noise=0.0)
    unforgetful = {key: value for key, value in clean.regime.items() if key != "forgetting"}
    assert task_sequence.first_of(ready.reported[1]).id == dataclasses.replace(clean, regime=unforgetful).id
    assert ("tasks", "first") in loaded_by(ready.reported)


def test_no_other_trial_changes_by_it(tmp_path: Path) -> None:
    plain, changed = planned(tmp_path, {}), planned(tmp_path, AFTER)
    ids = {t.id for t in changed.trials().values() if "after" not in t.regime}
    assert {t.id for t in plain.trials().values() if t.names.task == "first"} <= ids
    following = cell(changed, "second", "fixed").reported
    assert {task_sequence.alone_of(t).id for t in following} == {
        task_sequence.alone_of(t).id for t in cell(plain, "second", "fixed").reported
    }


def test_what_cannot_follow_says_why(tmp_path: Path) -> None:
    plan = planned(tmp_path, AFTER)
    assert "trains no weights" in str(cell(plan, "second", "zero-shot").reason)
    assert "trains no weights" in str(cell(plan, "second", "linear-probe").reason)
    assert "trains no weights" in str(cell(plan, "second", "head").reason)
    assert "random weights" in str(cell(plan, "second", "retrain").reason)
    written = {
        **AFTER,
        "second: {kind: text-classification, data: {hub: org/b}, labels: [bad, good]": "second: {kind: translation, "
        "data: {hub: org/b}",
    }
    assert "trains an encoder alone" in str(cell(planned(tmp_path, written), "second", "full").reason)
    few = {**AFTER, "sizes: [30, 40]": "sizes: [30, 4000]"}
    found = cell(planned(tmp_path, few), "second", "full")
    assert (found.state, found.reason) == (
        "not_applicable", "on first, which comes first: the training split has only 100 labelled examples",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["question-answering", "language-modeling"])
def test_an_encoder_that_writes_nothing_may_classify_after_it(kind: str, tmp_path: Path) -> None:
    first = "first: {kind: text-classification, data: {hub: org/a}, labels: [bad, good], label_noise: [0.2]}"
    changes = {**AFTER, first: f"first: {{kind: {kind}, data: {{hub: org/a}}}}", "forgetting: [first]": ""}
    assert cell(planned(tmp_path, changes), "second", "fixed").state == "planned"
    t5 = json.dumps({"model_type": "t5", "is_encoder_decoder": True, "architectures": ["T5ForConditionalGeneration"]})
    assert cell(planned(tmp_path, changes, config=t5), "second", "fixed").state == "not_applicable"


def test_further_test_sets_of_the_first_task_are_where_they_were(tmp_path: Path) -> None:
    more = "label_noise: [0.2], also_test: {more: {data: {files: {test: more.csv}}}}"
    plan = planned(tmp_path, {**AFTER, "label_noise: [0.2]": more})
    before, second = cell(plan, "first", "fixed").reported[0], cell(plan, "second", "fixed").reported[0]
    found = task_sequence.first_of(second)
    assert found.task == before.task
    for place in ("data", "also_test"):
        assert found.locations[place] == before.locations[place] != {}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sizes: [20]": "after: frist"}, "5: tasks.second.after: no task is called 'frist'; did you mean 'first'?"),
        ({"sizes: [20]": "after: second"}, "5: tasks.second.after: a task cannot come after itself"),
        (
            {"sizes: [20]": "after: first", "label_noise: [0.2]": "after: second"},
            "5: tasks.second.after: 'first' comes after 'second' itself; at most one task can come before another",
        ),
        (
            {"sizes: [20]": "after: pictures"},
            "5: tasks.second.after: 'pictures' is a task of image, this one is of text",
        ),
        ({"sizes: [20]": "after: [first]"}, "5: tasks.second.after: expected text, found"),
    ],
)
def test_a_mistake_says_where_and_what(changes: dict[str, str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        planned(tmp_path, changes)
    assert any(one.partition("suite.yaml:")[2].startswith(problem) for one in caught.value.problems), caught.value
