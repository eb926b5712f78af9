"""What one answer costs is comparable between regimes: one template, and nothing that is ready before it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from factory import Factory
from tiny_models import tiny_bert, tiny_causal
from tiny_tasks import adapt, order, text_task, trial

from bench.analysis import frame
from bench.contracts import Prepared
from bench.modeling.inference import zero_shot
from bench.probes import steps
from bench.report.section import sections
from bench.suite.trial import Json
from bench.trial.run import run

MODULES = [{"path": "", "type": "x.Transformer"}, {"path": "pool", "type": "x.Pooling"}]


def asked(way: str, folder: Path) -> Any:
    """A zero-shot trial that asks this way, and whatever model it takes."""
    if way == "likelihood":
        tiny_causal("gpt2", folder / "model")
    else:
        tiny_bert("BertForMaskedLM" if way == "cloze" else "BertModel", folder / "model")
    if way == "similarity":
        (folder / "model/pool").mkdir()
        (folder / "model/pool/config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
        (folder / "model/modules.json").write_text(json.dumps(MODULES))
    made = trial(folder / "model", text_task(folder), "zero-shot")
    made.regime.update({"way": way, "way_version": 1})
    return made


@pytest.mark.parametrize(
    ("way", "tested", "timed"), [("similarity", 1 + 3 * 2, 1), ("cloze", 4, 1), ("likelihood", 3 * 2, 2)]
)
def test_the_time_of_one_answer_is_that_of_one_template_and_of_no_tokenising(
    way: str, tested: int, timed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _, adapted = adapt(asked(way, tmp_path), tmp_path / "results")
    one, rows, run_all = context.parts["test"].first(), [], zero_shot.run

    def counted(encoded: Any, *rest: Any, **options: Any) -> Any:
        rows.append(len(encoded.lengths))
        return run_all(encoded, *rest, **options)

    monkeypatch.setattr(zero_shot, "run", counted)
    whole = adapted.predict(one).answers
    assert sum(rows) == tested
    prepared = Prepared()
    first = adapted.predict(one, prepared).answers
    known = len(prepared)
    rows.clear()
    torch.testing.assert_close(adapted.predict(one, prepared).answers, first)
    assert (sum(rows), len(prepared)) == (timed, known)
    torch.testing.assert_close(first[0], whole[0], atol=1e-5, rtol=0)
    assert len(adapted.predict(one).answers) == len(whole) > len(first) == 1


def test_what_trained_nothing_has_no_training_memory(tmp_path: Path) -> None:
    record: Json = {}
    run(order(asked("cloze", tmp_path), tmp_path / "results"), torch.device("cpu"), 1, lambda *at: None, record)
    assert {"load_host", "inference_host"} == record["costs"]["memory_bytes"].keys()
    assert record["costs"]["inference"]["latency_templates"] == 1


def test_training_takes_no_longer_than_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps.StepTimes, "total", lambda self: 1e6)
    tiny_bert("BertModel", tmp_path / "model")
    _, ledger, _ = adapt(trial(tmp_path / "model", text_task(tmp_path), "full"), tmp_path / "results")
    assert ledger.stages.seconds["overhead"] == 0
    assert ledger.stages.seconds["train"] < 1e3


def test_of_older_records_what_is_not_comparable_is_left_out(tmp_path: Path) -> None:
    templates = {"templates": {"accuracy": [0.6, 0.7, 0.65]}}
    memory = {"train_host": 9e8, "inference_host": 1e9}
    speed = {"latency_seconds": 0.066, "examples_per_second": 100.0}
    trained = {"seconds": {"train": 1.0}, "memory_bytes": memory, "inference": speed}
    untrained = {"seconds": {"load": 1.0}, "memory_bytes": memory, "inference": speed}
    for number, inference in enumerate((speed, {**speed, "latency_seconds": 0.008, "latency_templates": 1})):
        factory = Factory(tmp_path / str(number))
        factory.cell("zero-shot", 0, 0.7, seeds=1, also=templates, costs={**untrained, "inference": inference})
        factory.cell("lora", 64, 0.8, costs=trained)
        (section,) = sections(frame.load(factory.finish()))
        rows = {row[0].text: [cell.text for cell in row[1:]] for row in section.costs[0].rows}
        assert rows["peak memory, training"] == ["–", "900 MB"]
        assert rows["latency, one example"] == [("–", "8.0 ms")[number], "66 ms"]
        assert rows["inference, examples/s"] == ["300", "100"]
        note = "No latency of zero-shot: an earlier version took the time of all templates at once."
        assert (note in section.notes) == (number == 0)
