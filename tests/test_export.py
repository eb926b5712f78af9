"""Results for other programs: what is written, that it is valid there, and what is refused."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from factory import Factory, example
from huggingface_hub import ModelCard

from bench import api, plugins
from bench.cli import main
from bench.errors import StoreError, UsageError
from bench.store import atomic

ROOT = Path(__file__).parents[1]
COMMITTED = ROOT / "results"


def bench(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two regimes with results, one of them of a hostile name."""
    factory = Factory(tmp_path / "nlp", "nlp")
    factory.cell("zero-shot", 0, 0.6, seeds=1)
    for size in (64, 256):
        factory.cell("full", size, 0.9, task="t|<script>x</script>\x1b")
        factory.cell("lora", size, 0.5, task="t|<script>x</script>\x1b")
    return factory.finish()


def documents(written: list[Path]) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in written]


def test_every_eval_ever_has_a_result_for_each_cell(folder: Path, tmp_path: Path) -> None:
    found = documents(api.export(folder, "every-eval-ever", tmp_path / "out"))
    assert sum(len(one["evaluation_results"]) for one in found) == 5
    by_regime = {one["model_info"]["additional_details"]["adaptation_regime"]: one for one in found}
    assert by_regime.keys() == {"zero-shot", "full", "lora"}
    (blind,) = by_regime["zero-shot"]["evaluation_results"]
    assert blind["evaluation_name"] == "sst2: no labels"
    cells = api.cells(folder)
    row = cells[(cells.regime == "full") & (cells["size"] == 256)].iloc[0]
    own = by_regime["full"]["evaluation_results"][1]
    assert own["score_details"]["score"] == row["mean"]
    interval = own["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"]) == (row["low"], row["high"])
    assert own["metric_config"] == {
        **{"metric_id": "accuracy", "metric_name": "accuracy", "lower_is_better": False},
        **{"score_type": "continuous", "min_score": 0.0, "max_score": 1.0},
    }
    assert own["source_data"]["source_type"] == "hf_dataset" if "hf_repo" in own["source_data"] else "other"


REQUIRED = ("schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library")


@pytest.mark.skipif(not (COMMITTED / "nlp-small").is_dir(), reason="no committed results in this checkout")
def test_every_eval_ever_of_committed_results_is_valid(tmp_path: Path) -> None:
    found = documents(api.export(COMMITTED / "nlp-small", "every-eval-ever", tmp_path))
    for one in found:
        assert all(isinstance(one[key], str | dict) for key in REQUIRED)
        assert int(one["retrieved_timestamp"]) > 1_700_000_000
        metrics = [result["metric_config"] for result in one["evaluation_results"]]
        assert all({"min_score", "max_score", "lower_is_better"} <= metric.keys() for metric in metrics)
        details = [one["model_info"]["additional_details"], one["eval_library"]["additional_details"]]
        details += [result["score_details"]["details"] for result in one["evaluation_results"]]
        assert all(isinstance(value, str) for each in details for value in each.values())
    ranges = {
        m["metric_id"]: m["max_score"] for one in found for m in [r["metric_config"] for r in one["evaluation_results"]]
    }
    assert ranges["perplexity"] == "Infinity"
    schemas = _schema()
    if schemas is not None:  # whole where the schema's own package is installed
        validator = pytest.importorskip("jsonschema").Draft7Validator(schemas)
        assert [error.message for one in found for error in validator.iter_errors(one)] == []


def _schema() -> Any:
    """The schema of the package every-eval-ever, which needs a newer Python; None where it is not installed."""
    try:
        place = importlib.util.find_spec("every_eval_ever")
    except ModuleNotFoundError:
        return None
    if place is None or place.submodule_search_locations is None:
        return None
    return json.loads((Path(place.submodule_search_locations[0]) / "schemas/eval.schema.json").read_text())


def test_a_model_card_holds_the_verdicts_regime_and_the_hubs_results(folder: Path, tmp_path: Path) -> None:
    written = api.export(folder, "model-card", tmp_path / "out")
    (path,) = [one for one in written if "full" in str(one)]
    card = ModelCard.load(path)
    results = card.data.eval_results
    assert results is not None
    assert [one.metric_args["labels"] for one in results] == [64, 256]
    assert results[1].metric_type == "accuracy"
    assert 0.8 < results[1].metric_value < 1
    assert card.data.base_model == "minilm"
    assert "is the verdict" in card.text
    assert "<script>" not in card.text
    assert "\x1b" not in path.read_text()
    assert "| 256 | 0 | accuracy | 0." in card.text
    assert len(written) == 2  # sst2 has zero-shot alone


def test_a_supplement_is_whole_and_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    api.report(folder)
    (first,) = api.export(folder, "supplement", tmp_path / "a")
    (second,) = api.export(folder, "supplement", tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        files = {name.removeprefix("nlp/"): archive.read(name) for name in archive.namelist()}
    assert {
        "README.txt",
        "SHA256SUMS",
        "plan.json",
        "records/20260101T000000Z-run.jsonl",
        "report/report.md",
    } <= files.keys()
    assert not any(name.startswith(("/", "..", "artifacts")) for name in files)
    sums = dict(reversed(line.split("  ", 1)) for line in files["SHA256SUMS"].decode().splitlines())
    assert sums.keys() == files.keys() - {"SHA256SUMS"}
    assert all(hashlib.sha256(files[name]).hexdigest() == value for name, value in sums.items())


@pytest.mark.parametrize("to", ["every-eval-ever", "model-card", "supplement"])
def test_what_cannot_be_is_refused(to: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="holds results, and no export is written among them"):
        api.export(folder, to, folder.parent)
    (folder / "report").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="is a link"):
        api.export(folder, to, tmp_path / "out")
    (folder / "report").unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.disk, "write_all", full)
    with pytest.raises(StoreError):
        api.export(folder, to, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("to", ["every-eval-ever", "model-card"])
def test_nothing_scored_is_nothing_to_export(to: str, tmp_path: Path) -> None:
    factory = Factory(tmp_path / "nlp")
    factory.cell("full", 64, None)
    with pytest.raises(UsageError, match="`bench run` first"):
        api.export(factory.finish(), to, tmp_path / "out")


@pytest.mark.parametrize("to", ["trackio", "wandb", "mlflow"])
def test_a_missing_tracker_names_its_extra(to: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = bench("export", folder, "--to", to, code=2)
    assert f"pip install 'retrain-bench[{plugins.load('exports', to).EXTRA}]'" in said


class Recorder(types.ModuleType):
    """A tracker that keeps what it is told."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.told: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.summary: Any = self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.told.append((name, arguments, named))
            return self

        return call

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.told.append(("finish", (), {}))

    def calls(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [(arguments, named) for called, arguments, named in self.told if called == name]


@pytest.mark.parametrize(
    ("to", "begins", "scores"),
    [("trackio", "init", "log"), ("wandb", "init", "update"), ("mlflow", "start_run", "log_metrics")],
)
def test_a_tracker_gets_a_run_for_each_scored_trial(
    to: str, begins: str, scores: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Recorder(to)
    monkeypatch.setitem(sys.modules, to, tracker)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "t"))
    bench("export", folder, "--to", to, "--out", tmp_path / "out")
    names = [named.get("name") or named.get("run_name") for _, named in tracker.calls(begins)]
    assert len(names) == 1 + 2 * 2 * 3
    assert len(set(names)) == len(names)
    assert all(name.isprintable() for name in names)
    assert len(tracker.calls("finish")) == len(names)
    told = [arguments[0] for arguments, _ in tracker.calls(scores)]
    assert sum("test/accuracy" in one for one in told) == len(names)
    assert all(isinstance(value, float) for one in told for value in one.values())


def test_the_command_lists_and_names_its_formats(folder: Path, tmp_path: Path) -> None:
    assert "every-eval-ever" in bench("list", "exports")
    assert "'bogus' is not one of" in bench("export", folder, "--to", "bogus", code=2)
    written = json.loads(bench("export", folder, "--to", "supplement", "--out", tmp_path / "out", "--json"))
    assert written == [str(tmp_path / "out/nlp/nlp-supplement.zip")]


@pytest.mark.parametrize("to", ["every-eval-ever", "model-card", "supplement"])
def test_everything_that_results_can_hold_is_exported(to: str, tmp_path: Path) -> None:
    assert api.export(example(tmp_path / "nlp"), to, tmp_path / "out")
