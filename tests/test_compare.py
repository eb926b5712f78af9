"""Two folders side by side: what is paired, what is not, and what is never pooled."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from factory import ENVIRONMENT, OTHER, Factory, trial
from scipy.stats import ttest_ind, ttest_rel

from bench import api
from bench.cli import main
from bench.errors import UsageError


def bench(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def scored(factory: Factory, regime: str, values: list[float], **given: Any) -> None:
    """A cell of one seed a value, without predictions."""
    environment = given.pop("environment", ENVIRONMENT)
    costs = {"seconds": {"total": given.pop("seconds", 20.0)}}
    for one, value in zip(factory.cell(regime, 64, None, seeds=len(values), **given), values, strict=True):
        scores = {"metric": "matthews", "test": {"matthews": value}, "baselines": {}}
        factory.record(one, artifacts=False, scores=scores, environment=environment, costs=costs)


A, B = [0.60, 0.64, 0.61, 0.66], [0.63, 0.66, 0.65, 0.67]


def folders(tmp_path: Path, b: list[float] = B, **given: Any) -> tuple[Path, Path]:
    one, other = Factory(tmp_path / "a"), Factory(tmp_path / "b")
    scored(one, "full", A)
    scored(other, "full", b, **{"environment": OTHER, "seconds": 10.0, **given})
    return one.finish(), other.finish()


def test_the_same_trials_are_paired(tmp_path: Path) -> None:
    (found,) = api.compare(*folders(tmp_path))
    (one,) = found.differences
    oracle = ttest_rel(B, A).confidence_interval(0.95)
    assert (one.mean, one.low, one.high) == pytest.approx((np.mean(B) - np.mean(A), *oracle))
    assert (one.pairs, one.basis, one.same) == (4, "seeds", False)
    assert one.seconds == pytest.approx(0.5)
    assert found.differing == {"processor": ("Test CPU", "Other CPU")}


def test_other_trials_are_not_paired_and_what_differs_is_said(tmp_path: Path) -> None:
    one, other = Factory(tmp_path / "a"), Factory(tmp_path / "b")
    scored(one, "full", A)
    changed = [trial("minilm", "sst2", "full", 64, 0.0, seed) for seed in range(4)]
    scored(other, "full", [])
    other.plan["cells"][-1] |= {"seeds": 4, "reported": []}
    for of, value in zip(changed, B, strict=True):
        object.__setattr__(of, "tuned", {"learning_rate": 0.1})
        other.plan["cells"][-1]["reported"].append(of.id)
        other.plan["trials"][of.id] = {
            **{"model": "minilm", "task": "sst2", "regime": "full", "size": 64, "noise": 0.0},
            **{"seed": of.seed, "purpose": "reported"},
        }
        scores = {"metric": "matthews", "test": {"matthews": value}, "baselines": {}}
        other.record(of, artifacts=False, scores=scores, environment=OTHER)
    (found,) = api.compare(one.finish(), other.finish())
    (row,) = found.differences
    oracle = ttest_ind(B, A, equal_var=False).confidence_interval(0.95)
    assert (row.low, row.high) == pytest.approx(tuple(oracle))
    assert (row.pairs, row.changed) == (0, ("tuned.learning_rate",))
    assert "not the same trials (they differ in tuned.learning_rate)" in bench("compare", one.folder, other.folder)


def test_examples_narrow_what_one_seed_alone_leaves_open(tmp_path: Path) -> None:
    one, other = Factory(tmp_path / "a"), Factory(tmp_path / "b")
    one.cell("full", 64, 0.6, seeds=1)
    other.cell("full", 64, 0.8, seeds=1, environment=OTHER)
    (found,) = api.compare(one.finish(), other.finish())
    (row,) = found.differences
    assert row.basis == "examples"
    assert 0 < row.low < row.mean < row.high
    alone = folders(tmp_path / "alone", [0.6])
    (only,) = api.compare(*alone)[0].differences
    assert (only.basis, only.pairs, math.isnan(only.low)) == ("nothing", 1, True)


def test_environments_are_never_pooled(tmp_path: Path) -> None:
    one, other = Factory(tmp_path / "a"), Factory(tmp_path / "b")
    scored(one, "full", A)
    scored(other, "full", B)
    third = {**OTHER, "id": "cccc"}
    reported = other.plan["cells"][0]["reported"]
    for seed, value in enumerate([0.1, 0.2, 0.1, 0.2]):
        of = trial("minilm", "sst2", "full", 64, 0.0, seed)
        assert of.id in reported
        scores = {"metric": "matthews", "test": {"matthews": value}, "baselines": {}}
        other.record(of, artifacts=False, scores=scores, environment=third)
    first, second = one.finish(), other.finish()
    found = api.compare(first, second)
    assert [[e["id"] for e in c.environments] for c in found] == [["aaaa", "aaaa"], ["aaaa", "cccc"]]
    assert [c.differences[0].b for c in found] == pytest.approx([np.mean(B), 0.15])
    (within,) = api.compare(second, second)
    assert [e["id"] for e in within.environments] == ["aaaa", "cccc"]


def test_a_change_of_what_is_best_is_told(tmp_path: Path) -> None:
    one, other = Factory(tmp_path / "a"), Factory(tmp_path / "b")
    for factory, environment, order in ((one, ENVIRONMENT, (0.9, 0.5)), (other, OTHER, (0.5, 0.9))):
        for regime, score in zip(("full", "lora"), order, strict=True):
            factory.cell(regime, 64, score, environment=environment)
            factory.cell(regime, 256, 0.7, environment=environment)
    (found,) = json.loads(bench("compare", one.finish(), other.finish(), "--json"))
    by_size = {row["size"]: row for row in found["conclusions"]}
    assert by_size[64]["changed"]
    assert by_size[64]["best"] == ["full", "lora"]
    assert by_size[64]["verdict"] == ["full", "lora"]
    assert not by_size[256]["changed"]
    assert by_size[256]["verdict"][0] == by_size[256]["verdict"][1]
    assert "the best of one side could not be best on the other" in bench("compare", one.folder, other.folder)


def test_the_same_to_the_bit_is_marked(tmp_path: Path) -> None:
    (found,) = api.compare(*folders(tmp_path, A))
    (row,) = found.differences
    assert row.same
    assert (row.mean, row.low, row.high) == (0, 0, 0)
    assert ".000 ± .000=" in bench("compare", tmp_path / "a", tmp_path / "b")


def test_what_only_one_side_has_is_named(tmp_path: Path) -> None:
    first, _ = folders(tmp_path)
    other = Factory(tmp_path / "c")
    scored(other, "full", B, environment=OTHER)
    scored(other, "lora", B, environment=OTHER)
    (found,) = api.compare(first, other.finish())
    assert (found.only_a, found.only_b) == ([], ["sst2, minilm, lora, size 64"])


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    first, _ = folders(tmp_path)
    other = Factory(tmp_path / "c")
    scored(other, "full", B, task="other")
    with pytest.raises(UsageError, match="no cell of the one is scored in the other"):
        api.compare(first, other.finish())
    assert "no results here" in bench("compare", first, tmp_path / "nowhere", code=2)
    assert "no cell of the one" in bench("compare", first, first, code=2)


def test_another_metric_gives_no_difference(tmp_path: Path) -> None:
    one, other = Factory(tmp_path / "a"), Factory(tmp_path / "b")
    scored(one, "full", A)
    other.cell("full", 64, 0.7, seeds=4, environment=OTHER)
    (found,) = json.loads(bench("compare", one.finish(), other.finish(), "--json"))
    (row,) = found["differences"]
    assert (row["mean"], row["basis"]) == (None, "another metric: accuracy")


def test_names_do_not_drive_the_terminal(tmp_path: Path) -> None:
    one, other = Factory(tmp_path / "a", "s\x1b[2J"), Factory(tmp_path / "b", "s\x1b[2J")
    hostile = {**OTHER, "processor": "x\x1b]0;y\x07"}
    scored(one, "full", A, task="t\x1b[1m")
    scored(other, "full", B, task="t\x1b[1m", environment=hostile)
    assert "\x1b" not in bench("compare", one.finish(), other.finish())
