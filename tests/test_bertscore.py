"""BERTScore against torchmetrics', pair by pair, and what is said where its model is not at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import tiny_bert

from bench import api, plugins
from bench.errors import ModelError
from bench.metrics.bertscore import _model
from bench.planning import lock
from bench.trial.prepare import prepare

bertscore = plugins.load("metrics", "bertscore")
ANSWERS = ["the film was a joy from start to end", "dull", "a good end of it", "the plot is long"]
REFERENCES = [["a joy"], ["dull", "good"], ["not good at all", "it has a good end"], ["the film is a long plot"]]

SUITE = """\
name: s
models: {m: ./m}
tasks: {t: {kind: translation, data: {files: a.csv}, splits: {test: 0.5}, metrics: [bleu, bertscore]}}
regimes: {full: }
sizes: [all]
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tiny_bert("BertModel", tmp_path)
    monkeypatch.setenv("BENCH_BERTSCORE_MODEL", str(tmp_path))
    return tmp_path


def test_it_is_torchmetrics_of_each_pair(model: Path) -> None:
    from torchmetrics.functional.text.bert import bert_score

    options = {"model_name_or_path": str(model), "num_layers": 2, "max_length": 60, "truncation": True}
    expected = [
        max(float(bert_score([answer], [text], **options)["f1"]) for text in texts)
        for texts, answer in zip(REFERENCES, ANSWERS, strict=True)
    ]
    assert 0.1 < min(expected) < max(expected)
    assert bertscore.outcomes(REFERENCES, ANSWERS).tolist() == pytest.approx(expected, abs=1e-5)
    assert bertscore.score(REFERENCES, ANSWERS) == pytest.approx(sum(expected) / len(expected), abs=1e-5)


def test_the_best_reference_counts(model: Path) -> None:
    ones = [
        [bertscore.score([[text]], [answer]) for text in texts]
        for texts, answer in zip(REFERENCES, ANSWERS, strict=True)
    ]
    assert bertscore.outcomes(REFERENCES, ANSWERS).tolist() == pytest.approx([max(one) for one in ones], abs=1e-5)
    assert bertscore.outcomes([["", "good"]], ["good"]).tolist() == pytest.approx([1])
    assert bertscore.outcomes([["good"], [""]], ["", ""]).tolist() == [0, 0]


def test_the_signature_names_model_and_layer(model: Path) -> None:
    found = bertscore.signature()
    assert f"model:{model.name} (a folder)|layer:2|idf:no|rescaled:no" in found
    assert "transformers" in found
    assert str(model) not in found


def test_without_its_model_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_BERTSCORE_MODEL", str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match=r"nowhere' is not at hand .*BENCH_BERTSCORE_MODEL") as caught:
        bertscore.check()
    assert "\n" not in str(caught.value)
    (tmp_path / "a.csv").write_text("source,target\na,b\nc,d\n")
    (tmp_path / "s.yaml").write_text(SUITE)
    orders = list(lock.orders(api.load_suite(tmp_path / "s.yaml"), {"models": {}, "tasks": {}, "regimes": {}}))
    (order,) = (order for section, _, _, order in orders if section == "tasks")
    with pytest.raises(ModelError, match="metric bertscore: its model"):
        prepare(order)


def test_a_model_that_lacks_weights_is_refused(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    _model.cache_clear()
    weights = load_file(model / "model.safetensors")
    save_file(
        {k: v for k, v in weights.items() if "layer.1.output" not in k}, model / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ModelError, match=r"bertscore: the files of its model .* lack encoder\.layer\.1\.output"):
        bertscore.check()
