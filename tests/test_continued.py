"""Pretraining that goes on: what it learns from, where it ends up, and that it happens once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from continued_trials import FAST, REGIME, continuing
from tiny_models import tiny_bert, tiny_causal, tiny_image, tiny_roberta, tiny_seq2seq
from tiny_tasks import adapt, context, order, question, text_task, trial

from bench.errors import NotApplicable
from bench.modeling.models.facts import Facts
from bench.modeling.models.files import configs
from bench.modeling.prompts.conversations import Turn
from bench.training import starting_weights
from bench.training.build import build
from bench.training.pretraining import continued
from bench.trial.run import run

CPU = torch.device("cpu")


def model_of(family: str, folder: Path) -> Path:
    folder.mkdir()
    if family.startswith("Bert"):
        tiny_bert(family, folder)
    elif family == "roberta":
        tiny_roberta(folder)
    elif family == "resnet":
        tiny_image(family, folder)
    elif family == "t5":
        tiny_seq2seq(family, folder)
    else:
        tiny_causal(family, folder)
    return folder


@pytest.fixture
def pretrainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every pretraining."""
    seen: list[int] = []
    original = continued._pretrain
    monkeypatch.setattr(continued, "_pretrain", lambda *given: seen.append(1) or original(*given))
    return seen


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of weights that pretraining left, as it ends."""
    seen: list[Path] = []
    original = continued.continued

    def kept(*given: Any) -> Path:
        seen.append(original(*given))
        return seen[-1]

    monkeypatch.setattr(continued, "continued", kept)
    return seen


@pytest.mark.parametrize("family", ["BertForMaskedLM", "BertModel", "roberta", "gpt2", "llama"])
def test_its_loss_goes_down_and_training_starts_where_it_ended(family: str, tmp_path: Path, starts: list[Path]) -> None:
    model = model_of(family, tmp_path / "model")
    still = continuing(model, text_task(tmp_path), tuned={"learning_rate": 1e-12})
    pretrained = build(context(still, tmp_path / "results")[0], pretrained=True).backbone.state_dict()
    _, ledger, adapted = adapt(still, tmp_path / "results")
    first, last = ledger.shared["pretraining"]["loss"]
    assert last < 0.8 * first
    assert ledger.shared["pretraining"]["steps"] == 40
    kept = starting_weights.read(starts[0])
    core = {name.removeprefix(kept["prefix"]): value for name, value in kept["weights"].items()}
    moved = 0
    for name, value in adapted.backbone.state_dict().items():
        assert torch.allclose(value, core[name], atol=1e-6)
        moved += not torch.allclose(value, pretrained[name], atol=1e-3)
    assert moved > len(pretrained) // 2
    assert ("random head" in " ".join(ledger.notes)) == (family == "BertModel")


def test_it_reads_every_text_of_the_training_split_and_no_other(tmp_path: Path) -> None:
    task, location = text_task(tmp_path, train=60)
    found, _ = context(
        continuing(model_of("BertModel", tmp_path / "model"), (task, location), size=8), tmp_path / "results"
    )
    read = continued.texts(found)
    assert len(read) == len(found.examples("train").inputs) > 40
    assert not set(read) & set(found.examples("test").inputs)
    assert list(continued._parts(("a", ["b", Turn("user", "c")]))) == ["a", "b", "c"]


def test_trials_that_differ_in_what_follows_share_it_and_its_cost(tmp_path: Path, pretrainings: list[int]) -> None:
    model, task = model_of("BertForMaskedLM", tmp_path / "model"), text_task(tmp_path)
    records = []
    for changes in ({}, {"seed": 3, "size": 16}, {"tuned": {"learning_rate": 1e-4}}):
        record: dict[str, Any] = {}
        run(order(continuing(model, task, **changes), tmp_path / "results"), CPU, 1, lambda *_: None, record)
        records.append(record)
    assert len(pretrainings) == 1
    spent = [record["costs"]["seconds"]["pretraining"] for record in records]
    assert spent[0] == spent[1] == spent[2] > 0
    for record in records:
        seconds = record["costs"]["seconds"]
        assert seconds["total"] >= 0.99 * sum(value for name, value in seconds.items() if name != "total")
        assert record["costs"]["shared"]["pretraining"]["flops"] > 0
    for changed in (FAST | {"mlm_probability": 0.3}, FAST | {"pretraining_steps": 41}):
        adapt(continuing(model, task, changed), tmp_path / "results")
    assert len(pretrainings) == 3


def test_a_smoke_run_is_short(tmp_path: Path) -> None:
    small = continuing(
        model_of("gpt2", tmp_path / "model"), text_task(tmp_path), limits={"examples": 8}, budget={"steps": 2}
    )
    assert adapt(small, tmp_path / "results")[1].shared["pretraining"]["steps"] == 2


def test_an_epoch_sees_every_text_once(tmp_path: Path) -> None:
    once = {"pretraining_epochs": 1.0, "pretraining_batch_size": 7}
    spec = continuing(model_of("gpt2", tmp_path / "model"), text_task(tmp_path), once)
    found, ledger, _ = adapt(spec, tmp_path / "results")
    texts = len(continued.texts(found))
    assert ledger.shared["pretraining"]["steps"] == -(-texts // 7)


@pytest.mark.parametrize("family", ["gpt2", "BertForMaskedLM"])
def test_a_model_that_writes_starts_from_it_too(family: str, tmp_path: Path, starts: list[Path]) -> None:
    task, location = text_task(tmp_path)
    task |= {"kind": "translation", "columns": {"source": "text", "target": "label"}, "parameters": {"max_target": 8}}
    spec = continuing(model_of(family, tmp_path / "model"), (task, location), tuned={"learning_rate": 1e-12})
    _, _, adapted = adapt(spec, tmp_path / "results")
    kept = starting_weights.read(starts[0])
    state = adapted.backbone.state_dict()
    if family == "gpt2":
        assert all(torch.allclose(state[name], value, atol=1e-6) for name, value in kept["weights"].items())
        return
    name = "embeddings.word_embeddings.weight"
    for place in ("encoder.", "decoder.bert."):
        assert torch.allclose(state[place + name], kept["weights"]["bert." + name], atol=1e-6)
    assert any("crossattention" in key for key in state)


def test_where_there_is_no_such_objective_the_plan_says_so(tmp_path: Path) -> None:
    for family, modality, said in (("resnet", "image", "text alone"), ("t5", "text", "not with encoder-decoders")):
        facts = Facts.from_files(configs(model_of(family, tmp_path / family), "m"))
        with pytest.raises(NotApplicable, match=said):
            REGIME.resolve(facts, question(modality=modality), REGIME.Parameters())


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    task = text_task(tmp_path)
    bert, gpt2 = (
        build(context(trial(model_of(family, tmp_path / family), task, "full"), tmp_path)[0], pretrained=True).backbone
        for family in ("BertModel", "gpt2")
    )
    with pytest.raises(NotApplicable, match="other parts"):
        starting_weights.place(bert, starting_weights.state_of(gpt2))
    small = starting_weights.state_of(bert)
    small["weights"] = {name: value[:1] for name, value in small["weights"].items()}
    with pytest.raises(NotApplicable, match="of another model"):
        starting_weights.place(bert, small)


def test_a_trial_that_starts_elsewhere_has_features_of_its_own(tmp_path: Path, starts: list[Path]) -> None:
    model, task = model_of("BertForMaskedLM", tmp_path / "model"), text_task(tmp_path)
    adapt(continuing(model, task), tmp_path / "results")
    other, _ = context(trial(model, task, "linear-probe"), tmp_path / "results")
    pretrained = other.features.frozen("train")
    assert abs(other.features.starting_from(starts[0]).frozen("train") - pretrained).max() > 1e-2
