"""Another metric from kept predictions: what is computed, where it is kept, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from factory import Factory, trial

from bench import api
from bench.analysis import frame
from bench.analysis.by_metric import by_metric, metrics
from bench.cli import main
from bench.store import atomic, paths, rescored
from bench.trial import evaluation


def bench(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def results(folder: Path) -> Path:
    """Two tasks: classes with real answers in two regimes and three seeds, and texts."""
    factory = Factory(folder, examples=40)
    for regime in ("full", "lora"):
        for one in factory.cell(regime, 64, None):
            random = np.random.default_rng([one.seed, regime == "full"])
            labels = random.integers(0, 2, 40)
            answers = np.log(random.dirichlet([1.0, 1.0], 40)).astype(np.float32)
            _record(factory, one, {"label": labels, "log_probabilities": list(answers)}, _accuracy(labels, answers))
    for one in factory.cell("full", 64, None, task="words"):
        given = {"references": [["a b"]] * 40, "answer": ["a b"] * 40}
        _record(factory, one, given, 1.0, "exact-match")
    return factory.finish()


def _accuracy(labels: Any, answers: Any) -> float:
    return float((answers.argmax(axis=1) == labels).mean())


def _record(factory: Factory, one: Any, columns: dict[str, Any], score: float, metric: str = "accuracy") -> None:
    scores = {"metric": metric, "test": {metric: score}, "baselines": {}}
    record = factory.record(one, artifacts=False, scores=scores)
    rows = {"example": np.arange(40), "template": np.zeros(40, int), "outcome": np.full(40, np.nan, np.float32)}
    place = paths.artifacts(factory.folder, one.id, record["attempt"])
    evaluation.save(place, {"curve": {}, "predictions": {**rows, **columns}})


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_another_metric_stands_beside_the_records_and_changes_none(tmp_path: Path) -> None:
    folder = results(tmp_path / "r")
    before = everything(folder)
    (found,) = json.loads(bench("rescore", folder, "--metric", "brier", "--json"))
    assert len(found["rows"]) == 6
    assert {row["task"] for row in found["rows"]} == {"sst2"}
    assert found["others"] == ["task words: its answers are texts, and brier takes classes; 3 files left out"]
    after = everything(folder)
    assert {name: after[name] for name in before} == before
    assert [name for name in after if name not in before] == [str(Path(found["file"]).relative_to(folder))]
    entries = rescored.read(folder).entries
    assert len(entries) == 6
    assert all(one["recorded"] is None and one["version"] == 1 and len(one["predictions"]) == 64 for one in entries)


def test_the_same_metric_gives_the_recorded_scores(tmp_path: Path) -> None:
    (found,) = json.loads(bench("rescore", results(tmp_path / "r"), "--metric", "accuracy", "--json"))
    assert all(row["score"] == pytest.approx(row["recorded"]) for row in found["rows"])
    assert len({row["score"] for row in found["rows"]}) > 1


def test_a_table_holds_the_mean_of_each_cell(tmp_path: Path) -> None:
    folder = results(tmp_path / "r")
    shown = bench("rescore", folder, "--metric", "exact-match-char", "--only", "task=words")
    assert "1.000" in shown
    assert "3 scores in" in shown
    assert "sst2" not in shown


def test_results_are_compared_by_what_was_rescored(tmp_path: Path) -> None:
    folder = results(tmp_path / "r")
    assert "brier" not in metrics(frame.load(folder)[0])
    (found,) = api.rescore(folder, "brier")
    assert "brier" in metrics(frame.load(folder)[0])
    changed = by_metric(frame.load(folder)[0], "brier")
    assert {r["scores"]["test"]["brier"] for r in changed.records} == {row["score"] for row in found.rows}
    cells = frame.cells([changed]).set_index(["task", "regime"])
    row = cells.loc["sst2", "full"]
    assert row["mean"] == pytest.approx(np.mean([r["score"] for r in found.rows if r["regime"] == "full"]))
    assert row["interval"] == "seeds and examples"  # from the answers, not from the accuracy's outcomes
    assert changed.unusable == []
    shown = bench("report", folder, "--out", tmp_path / "out", "--metric", "brier", "--only", "task=sst2")
    assert f"{row['mean']:.3f}".lstrip("0") in shown


def test_of_several_calls_the_newest_counts_also_over_the_record(tmp_path: Path) -> None:
    folder = results(tmp_path / "r")
    api.rescore(folder, "accuracy")
    entries = rescored.read(folder).entries
    rescored.write(folder, [{**one, "score": 0.125, "templates": [0.125]} for one in entries])
    changed = by_metric(frame.load(folder)[0], "accuracy")
    assert {r["scores"]["test"]["accuracy"] for r in changed.records} == {0.125}
    assert 0.125 not in set(frame.cells(frame.load(folder))["mean"])  # where nobody asks, the records say


def test_what_has_no_predictions_is_named_and_the_rest_is_scored(tmp_path: Path) -> None:
    folder = results(tmp_path / "r")
    lost, damaged, *_ = sorted(folder.glob("artifacts/*/*/predictions.parquet"))
    lost.unlink()
    damaged.write_bytes(b"PAR1")
    shown = bench("rescore", folder, "--metric", "brier", code=1)
    assert f"{lost}: there are no predictions" in shown
    assert f"{damaged}: cannot be read" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metric", "macro-f2"], "no metrics plugin is called 'macro-f2'; did you mean 'macro-f1'?"),
        (["--metric", "entity-f1"], "nothing can be scored by entity-f1\ntask sst2: its answers are classes, and"),
        (["--metric", "brier", "--only", "task=nope"], "holds no score of what is asked for"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(arguments: list[str], said: str, tmp_path: Path) -> None:
    folder = results(tmp_path / "r")
    assert said in bench("rescore", folder, *arguments, code=2)
    assert not (folder / "rescored").exists()


def test_a_damaged_line_is_told_of_and_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = results(tmp_path / "r")
    (found,) = api.rescore(folder, "brier")
    assert found.file is not None
    found.file.write_text(found.file.read_text().replace("brier", "frier", 1))
    assert "does not match its checksum" in bench("check", folder, code=1)
    assert len(rescored.read(folder).entries) == 5
    (folder / "rescored").rename(tmp_path / "elsewhere")
    (folder / "rescored").symlink_to(tmp_path / "elsewhere")
    assert "is a link" in bench("rescore", folder, "--metric", "brier", code=3)


def test_a_disk_that_refuses_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = results(tmp_path / "r")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.disk, "write_all", full)
    bench("rescore", folder, "--metric", "brier", code=3)
    assert [p for p in folder.glob("rescored/**/*") if p.is_file()] == []


def test_names_of_suites_do_not_drive_the_terminal(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r", suite="s\x1b[2J", examples=40)
    one = trial("m", "t\x1b]0;x\x07", "full", 64, 0.0, 0)
    factory.cell("full", 64, None, task="t\x1b]0;x\x07", model="m", seeds=1)
    labels, answers = np.zeros(40, int), [np.array([-0.5, -1.0], np.float32)] * 40
    _record(factory, one, {"label": labels, "log_probabilities": answers}, 1.0)
    assert "\x1b" not in bench("rescore", factory.finish(), "--metric", "brier")
