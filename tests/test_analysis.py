"""The intervals cover what they say, and the tidy frame holds what the records say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factory import ENVIRONMENT, OTHER, Factory, trial
from rows import Row

from bench.analysis import frame
from bench.analysis.failures import failures, left_out
from bench.analysis.forgetting import forgetting
from bench.analysis.overview import overview
from bench.analysis.statistics import Scale
from bench.analysis.task_sequence import sequence
from bench.errors import StoreError, UsageError
from bench.report.section import sections
from bench.store import paths


def only(folder: Path) -> frame.Results:
    (results,) = frame.load(folder)
    return results


def row(cells: pd.DataFrame, **where: Any) -> pd.Series:
    for column, value in where.items():
        cells = cells[cells[column] == value]
    assert len(cells) == 1
    return cells.iloc[0]


def test_the_frame_holds_what_the_records_say(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.cell("zero-shot", 0, 0.6, seeds=1)
    costs = {"memory_bytes": {"train_host": 5}, "parameters": {"trainable": 7, "total": 9}}
    factory.cell("lora", 64, 0.8, tuning=2, on_edge=True, costs=costs)
    factory.cell("full", 64, 0.3, artifacts=False)
    factory.cell("lora", "all", 0.9, costs=costs)
    cells = frame.cells([only(factory.finish())])
    assert len(cells) == 5
    lora = row(cells, regime="lora", size=64)
    assert lora["low"] < lora["mean"] < lora["high"]
    assert lora[["best", "seeds", "seeds_planned", "on_edge", "tuned"]].tolist() == [
        True,
        3,
        3,
        True,
        "learning_rate=0.0003",
    ]
    assert lora[["tuning_seconds", "train_seconds", "train_host_bytes", "trainable_parameters"]].tolist() == [
        40,
        12.5,
        5,
        7,
    ]
    assert lora["interval"] == "seeds and examples"
    assert np.isnan(lora["train_joules"])
    full = row(cells, regime="full")
    assert full["interval"] == "seeds"
    assert not full["best"]
    assert not full["could_be_best"]
    zero = cells[cells.regime == "zero-shot"]
    assert zero["size"].tolist() == [64, "all"]
    assert zero["labels"].tolist() == [0, 0]
    assert zero["mean"].nunique() == 1
    assert row(cells, regime="lora", size="all")["labels"] == 10


def test_near_the_best_could_be_best(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.cell("zero-shot", 0, 0.8, seeds=1)
    factory.cell("lora", 64, 0.8)
    factory.cell("full", 64, 0.4)
    cells = frame.cells([only(factory.finish())])
    assert cells.best.sum() == 1
    near = cells[cells.regime != "full"]
    assert (near.best | near.could_be_best).all()
    assert not row(cells, regime="full")["could_be_best"]


def test_of_a_metric_where_lower_is_better_the_lowest_is_best(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.cell("zero-shot", 0, 0.4, seeds=1, metric="brier")
    factory.cell("lora", 64, 0.4, metric="brier")
    factory.cell("full", 64, 0.8, metric="brier")
    cells = frame.cells([only(factory.finish())])
    assert cells.lower_is_better.all()
    assert cells.best.sum() == 1
    near = cells[cells.regime != "full"]
    assert (near.best | near.could_be_best).all()
    assert not row(cells, regime="full")[["best", "could_be_best"]].any()


def test_a_metric_of_a_package_that_is_not_here_is_taken_for_higher_is_better() -> None:
    assert not frame.lower_is_better("somebody-elses")


def test_a_score_that_is_no_mean_over_examples_gets_its_interval_from_seeds(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for seed, one in enumerate(factory.cell("lora", 64, None)):
        factory.record(one, 0.8, scores={"metric": "macro-f1", "test": {"macro-f1": 0.7 + seed / 10}})
    lora = row(frame.cells([only(factory.finish())]))
    assert lora["interval"] == "seeds"  # the recorded score is far from the mean of the outcomes
    assert lora["high"] == pytest.approx(Scale(0.0, 1.0).interval(0.8, [(0.01 / 3, 2)], 0).high)


def test_a_torn_prediction_file_is_not_believed(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.cell("lora", 64, 0.8)
    next(tmp_path.glob("artifacts/*/*/predictions.parquet")).write_bytes(b"PAR1")
    assert row(frame.cells([only(factory.finish())]))["interval"] == "seeds"


def test_states_and_causes(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    first, second, _ = factory.cell("lora", 64, None)
    factory.record(first)
    factory.record(second, status="failed", cause="broke")
    for one in factory.cell("full", 64, None):
        factory.record(one, status="oom_device", environment={})
    factory.cell("retrain", 64, None)
    factory.cell("partial", 64, None, state="waiting")
    factory.cell("zero-shot", 0, None, seeds=1, state="not_applicable")
    results = only(factory.finish())
    cells = frame.cells([results])
    states = {r: row(cells, regime=r)[["state", "statuses", "cause"]].tolist() for r in cells.regime}
    assert states == {
        "lora": ["partial", "failed=1 missing=1 ok=1", "broke"],
        "full": ["oom_device", "oom_device=3", "CUDA out of memory: tried to allocate 2 GiB"],
        "retrain": ["missing", "missing=3", ""],
        "partial": ["waiting", "missing=3", ""],
        "zero-shot": ["not_applicable", "", "the model has no head"],
    }
    assert set(cells.environment) == {"aaaa"}
    assert row(cells, regime="lora")["interval"] == "examples"
    assert failures(results).status.tolist() == ["failed", "oom_device", "oom_device", "oom_device"]


def test_the_spread_over_templates(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    templates = {"templates": {"accuracy": [0.5, 0.7, 0.6], "macro-f1": [0.1, 0.2, 0.3]}}
    factory.cell("zero-shot", 0, 0.6, seeds=1, also=templates)
    factory.cell("lora", 64, 0.8)
    cells = frame.cells([only(factory.finish())])
    spread = cells[["templates", "template_low", "template_high"]]
    assert spread[cells.regime == "zero-shot"].values.tolist() == [[3, 0.5, 0.7]]
    assert spread[cells.regime == "lora"].iloc[0].fillna(-1).tolist() == [0, -1, -1]


def test_forgetting_is_the_mean_over_ok_seeds(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    first, second, third = factory.cell("lora", 64, None)
    for one, after in ((first, 0.5), (second, 0.7)):
        factory.record(one, also={"forgetting": {"sts": {"accuracy": {"before": 0.8, "after": after}}}})
    factory.record(third, status="diverged")
    factory.cell("zero-shot", 0, 0.6, seeds=1)
    (row,) = forgetting(only(factory.finish())).to_dict("records")
    assert row == {
        **{"suite": "nlp", "task": "sst2", "model": "minilm", "regime": "lora", "size": 64, "noise": 0.0},
        **{"environment": "aaaa", "on": "sts", "metric": "accuracy", "seeds": 2},
        **{"before": pytest.approx(0.8), "after": pytest.approx(0.6)},
    }


def test_the_overview_counts_every_planned_trial_once_and_every_attempt_s_time(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    first, second, _ = factory.cell("lora", 64, None, tuning=1)
    factory.record(first, status="failed")
    factory.record(first, facts={"notes": ["odd"]})
    factory.record(second, status="diverged", facts={"notes": ["odd"]}, costs={"seconds": {"total": 5.0}})
    factory.cell("partial", 64, 0.8, seeds=1, tuning=2)
    factory.plan["cells"].append({**factory.plan["cells"][0], "state": "waiting", "seeds": 4, "reported": []})
    factory.record(trial("old", "sst2", "lora", 64, 0.0, 0))
    found = overview(only(factory.finish()))
    assert found.statuses == {"ok": 4, "diverged": 1}
    assert found.trials == {"trials": 11, "done": 4, "failed": 1, "missing": 2, "waiting": 4}
    assert (found.seconds, found.tuning_seconds) == (105, 40)
    assert found.remarks == {"odd": {("sst2", "minilm"): 2}}


def test_environments_are_never_pooled(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for one in factory.cell("lora", 64, 0.8):
        factory.record(one, 0.7, environment=OTHER)
    factory.record(factory.cell("full", 64, 0.6)[0], status="killed", environment={})
    cells = frame.cells([only(factory.finish())])
    assert cells[cells.regime == "lora"][["environment", "best"]].values.tolist() == [["aaaa", True], ["bbbb", True]]
    assert row(cells, regime="full")[["environment", "seeds"]].tolist() == ["aaaa", 3]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    first = factory.cell("lora", 64, 0.8)[0]
    factory.record(first, 0.4)
    factory.record(trial("old", "sst2", "lora", 64, 0.0, 0))
    (tmp_path / "records" / "x.jsonl").write_text("{")
    damaged, strange, disagreement = left_out(only(factory.finish()))
    assert "records/x.jsonl:1: not whole JSON" in damaged
    assert strange.endswith("(an earlier version of the suite): 1.")
    assert "2 attempts at one trial disagree (sst2, minilm, lora, size 64, seed 0)" in disagreement


def test_load_takes_one_folder_or_a_folder_of_them(tmp_path: Path) -> None:
    for suite in ("b", "a"):
        factory = Factory(tmp_path / suite, suite)
        factory.cell("lora", 64, None)
        factory.finish()
    assert [r.name for r in frame.load(tmp_path)] == ["a", "b"]
    assert frame.cells(frame.load(tmp_path))["suite"].tolist() == ["a", "b"]
    assert [r.name for r in frame.load(tmp_path / "a")] == ["a"]
    with pytest.raises(UsageError, match=r"nlp\.yaml: no such file"):
        paths.suites(Path("nlp.yaml"))
    with pytest.raises(UsageError, match="no results here"):
        frame.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (None, "No such file"),
        ("{", "not a plan"),
        ("[]", "not a plan"),
        ("[" * 100_000, "not a plan"),
        ('{"schema": 2}', "newer version of bench, in schema 2; this one knows schemas up to 1"),
        ('{"schema": 1, "trials": {}, "cells": []}', "holds no trial"),
    ],
)
def test_a_plan_that_cannot_be_read(tmp_path: Path, plan: str | None, problem: str) -> None:
    paths.records(tmp_path).mkdir()
    if plan is not None:
        paths.plan(tmp_path).write_text(plan)
    with pytest.raises(StoreError, match=problem):
        frame.load(tmp_path)


def test_another_schema_of_the_plan(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.cell("lora", 64, None)
    folder = factory.finish()
    plan = json.loads(paths.plan(folder).read_text())
    paths.plan(folder).write_text(json.dumps({**plan, "schema": 2}))
    with pytest.raises(StoreError, match="schema 2"):
        frame.load(folder)


def test_a_suite_and_its_smoke_run_are_never_one_table(tmp_path: Path) -> None:
    for name, score in (("x", 0.9), ("x-smoke", 0.7)):
        factory = Factory(tmp_path / name)
        factory.plan["suite"] = "x"
        factory.cell("full", 64, score)
        factory.finish()
    found = frame.cells(frame.load(tmp_path))
    assert found["suite"].tolist() == ["x", "x-smoke"]
    assert found["best"].all()


def test_folders_merge_by_copying(tmp_path: Path) -> None:
    one, two = Factory(tmp_path / "one"), Factory(tmp_path / "two")
    two.writer.path = paths.records_file(two.folder, "20260102T000000Z", "run")
    first = one.cell("lora", 64, None)
    second = two.cell("lora", 64, None)
    one.record(first[0], 0.8)
    two._attempts = 100
    two.record(second[1], 0.8, environment=ENVIRONMENT)
    shutil.copytree(one.finish(), two.finish(), dirs_exist_ok=True)
    assert row(frame.cells(frame.load(two.folder)))["seeds"] == 2


@pytest.mark.fault(Row.HALF_DONE)
def test_means_over_other_seeds_are_not_compared(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.cell("zero-shot", 0, 0.2, seeds=1)
    factory.cell("lora", 64, 0.6, seeds=5)
    factory.cell("full", 64, 0.6, seeds=5)
    for one in factory.cell("retrain", 64, None, seeds=5)[:2]:
        factory.record(one, 0.99)
    factory.cell("partial", 64, None, seeds=5)
    (results,) = frame.load(factory.finish())
    found = frame.cells([results]).set_index("regime")
    assert found["mean"].idxmax() == "retrain"
    assert found["compared"].to_dict() == {
        **{"zero-shot": True, "lora": True, "full": True},
        **{"retrain": False, "partial": False},
    }
    assert found["best"].sum() == 1
    assert not found.loc["retrain", ["best", "could_be_best"]].any()
    assert found.loc[["lora", "full"], ["best", "could_be_best"]].any(axis=1).all()
    (section,) = sections([results])
    assert section.headline.startswith("21 trials: 13 done, 8 missing. ")
    assert "the results so far" in section.headline
    assert "Not compared, for others in the column have more seeds: retrain at 64 (2 of 5)." in section.scores[0].notes
    assert "retrain" not in set(section.figures[0].rows["regime"])
    assert "without cells of fewer seeds than others" in section.figures[0].caption


@pytest.mark.fault(Row.HALF_DONE)
@pytest.mark.parametrize(("planned", "best"), [(True, False), (False, True)])
def test_one_alone_is_not_the_best_while_others_are_to_come(tmp_path: Path, planned: bool, best: bool) -> None:
    factory = Factory(tmp_path)
    factory.cell("lora", 64, 0.6)
    if planned:
        factory.cell("full", 64, None)
    assert frame.cells(frame.load(factory.finish()))["best"].any() == best


@pytest.mark.fault(Row.HALF_DONE)
def test_what_all_have_so_far_is_compared(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for regime, score in (("lora", 0.4), ("full", 0.8)):
        for one in factory.cell(regime, 64, None, seeds=5)[:2]:
            factory.record(one, score)
    found = frame.cells(frame.load(factory.finish()))
    assert found["compared"].all()
    assert found["best"].tolist() == [False, True]


def test_what_a_task_gained_by_another_is_the_mean_over_ok_seeds(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    planned = factory.cell("full", 64, None)
    for one, left, without in zip(planned, (0.5, 0.3, 0.1), (0.6, 0.8, 0.0), strict=True):
        after = {"task": "sts", "metric": "brier", "before": {"brier": 0.1}, "after": {"brier": left},
                 "without": {"accuracy": without}}  # fmt: skip
        status = "ok" if left > 0.2 else "failed"
        factory.record(one, 1.0, status=status, artifacts=False, also={"after": after})
    factory.cell("lora", 64, 0.5, artifacts=False)
    (row,) = sequence(only(factory.finish())).to_dict("records")
    assert (row["regime"], row["first"], row["metric"], row["first_metric"]) == ("full", "sts", "accuracy", "brier")
    values = [row[name] for name in ("without", "with", "before", "after", "seeds")]
    assert values == pytest.approx([0.7, 1.0, 0.1, 0.4, 2])
