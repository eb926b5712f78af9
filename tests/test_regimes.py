"""Regimes on tiny models: what trains, what stays, what is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tiny_models import tiny_bert, tiny_causal, tiny_image, tiny_image_text
from tiny_tasks import adapt, image_task, text_task, trial

from bench import plugins
from bench.errors import NotApplicable, UsageError
from bench.modeling.heads.classifier import Classifier
from bench.modeling.models import loading
from bench.modeling.models.facts import Facts
from bench.modeling.models.files import configs
from bench.probes.guard import Guard
from bench.probes.steps import StepTimes
from bench.suite.trial import Json
from bench.training import adapted_model
from bench.training.state import Fit

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so

MODELS: dict[str, Callable[[Path], Any]] = {
    "bert": lambda folder: tiny_bert("BertModel", folder),
    "gpt2": lambda folder: tiny_causal("gpt2", folder),
    "vit": lambda folder: tiny_image("vit", folder),
    "resnet": lambda folder: tiny_image("resnet", folder),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in MODELS}
    for name, build in MODELS.items():
        build(folders[name])
    return folders


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Json, Json]]:
    text, image = text_task(tmp_path_factory.mktemp("texts")), image_task(tmp_path_factory.mktemp("images"))
    return {"bert": text, "gpt2": text, "vit": image, "resnet": image}


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[Classifier]:
    """Stops regimes just before they train; what they would have trained is in the list."""
    found: list[Classifier] = []

    def fit(context: Any, ledger: Any, model: Classifier) -> Fit:
        found.append(model)
        return Fit(times=StepTimes(False, Guard()))

    monkeypatch.setattr(adapted_model, "fit", fit)
    return found


def names(model: Classifier, trains: bool) -> set[str]:
    return {name for name, p in model.named_parameters() if p.requires_grad == trains}


@pytest.mark.parametrize(
    ("model", "frozen", "trained"),
    [
        ("bert", ("embeddings", "encoder.layer.0"), ("encoder.layer.1",)),
        ("gpt2", ("wte", "wpe", "h.0"), ("h.1", "ln_f")),
        ("vit", ("embeddings", "layers.0", "layers.1"), ("layers.2", "layernorm")),
        ("resnet", ("embedder", "encoder.stages.0", "encoder.stages.1"), ("encoder.stages.2",)),
    ],
)
def test_partial_freezes_all_before_the_last_blocks(
    model: str,
    frozen: tuple[str, ...],
    trained: tuple[str, ...],
    models: Any,
    tasks: Any,
    untrained: Any,
    tmp_path: Path,
) -> None:
    adapt(trial(models[model], tasks[model], "partial", {"blocks": 1}), tmp_path)
    found = untrained[0]
    assert names(found, False) == {
        n for n, _ in found.named_parameters() if n.startswith(tuple(f"backbone.{f}" for f in frozen))
    }
    assert names(found, True) == {
        n for n, _ in found.named_parameters() if n.startswith(("head", *(f"backbone.{t}" for t in trained)))
    }


def test_partial_with_as_many_blocks_as_there_are_is_not_applicable(models: Any, tasks: Any, tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="only 2 blocks"):
        adapt(trial(models["bert"], tasks["bert"], "partial", {"blocks": 2}), tmp_path)


@pytest.mark.parametrize("model", ["bert", "resnet"])
def test_head_trains_the_new_layer_alone(model: str, models: Any, tasks: Any, untrained: Any, tmp_path: Path) -> None:
    found = adapt(trial(models[model], tasks[model], "head"), tmp_path)[2]
    assert names(untrained[0], True) == {"head.weight", "head.bias"}
    assert found.backbone is None  # nothing that another task could start from, or forgets
    assert found.stored_bytes == 4 * found.trainable < 4 * found.total


def test_head_needs_something_new(models: Any, tmp_path: Path) -> None:
    task, location = text_task(tmp_path)
    own = {"metrics": [], "max_length": 16, "stride": 8}
    task |= {"kind": "language-modeling", "parameters": own, "columns": {"text": "text"}}
    with pytest.raises(NotApplicable, match="no new head to train"):
        adapt(trial(models["gpt2"], (task, location), "head"), tmp_path)


@pytest.mark.parametrize("model", ["bert", "resnet"])
def test_full_and_retrain_train_everything(model: str, models: Any, tasks: Any, untrained: Any, tmp_path: Path) -> None:
    full = adapt(trial(models[model], tasks[model], "full"), tmp_path)[2]
    again = adapt(trial(models[model], tasks[model], "retrain"), tmp_path)[2]
    total = sum(p.numel() for p in untrained[0].parameters())
    assert not names(untrained[0], False)
    assert not names(untrained[1], False)
    assert full.trainable == full.total == again.trainable == again.total == total
    buffers = sum(b.numel() for b in untrained[0].buffers() if b.is_floating_point())
    assert full.stored_bytes == again.stored_bytes == 4 * (total + buffers)


def test_retrain_starts_from_weights_of_its_own_seed_alone(
    models: Any, tasks: Any, untrained: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    tiny_bert("BertModel", other)
    model = transformers.BertModel.from_pretrained(other)
    torch.nn.init.constant_(model.embeddings.word_embeddings.weight, 7.0)
    model.save_pretrained(other)
    for folder, seed in ((models["bert"], 0), (other, 0), (models["bert"], 1)):
        adapt(trial(folder, tasks["bert"], "retrain", seed=seed), tmp_path)
    adapt(trial(models["bert"], tasks["bert"], "full"), tmp_path)
    first, same, second, pretrained = [dict(m.named_parameters()) for m in untrained]
    for name, value in first.items():
        assert torch.equal(value, same[name])
        if value.ndim > 1:
            assert not torch.equal(value, second[name])
            assert name == "head.weight" or not torch.equal(value, pretrained[name])
    assert torch.equal(first["head.weight"], pretrained["head.weight"])  # every regime starts from the same head


PEFT: dict[str, tuple[Json, str]] = {
    "lora": ({"r": 4}, "lora_A"),
    "dora": ({"r": 4, "use_dora": True}, "lora_magnitude_vector"),
    "rslora": ({"r": 4, "use_rslora": True, "lora_alpha": 8}, "lora_B"),
    "ia3": ({"config": "IA3Config", "target_modules": ["key", "value"], "feedforward_modules": []}, "ia3_l"),
}


@pytest.mark.parametrize("kind", PEFT)
def test_lora_trains_what_peft_adds_and_the_head_and_nothing_else(
    kind: str, models: Any, tasks: Any, untrained: Any, tmp_path: Path
) -> None:
    parameters, mark = PEFT[kind]
    _, _, adapted = adapt(trial(models["bert"], tasks["bert"], "lora", parameters), tmp_path)
    model = untrained[0]
    trained = names(model, True)
    assert {"head.weight", "head.bias"} < trained
    assert all("lora_" in n or "ia3_l" in n for n in trained - {"head.weight", "head.bias"})
    assert any(mark in n for n in trained)
    assert adapted.trainable == sum(p.numel() for n, p in model.named_parameters() if n in trained)
    assert adapted.total == sum(p.numel() for p in model.parameters())
    assert adapted.stored_bytes == 4 * adapted.trainable
    if kind == "lora":  # both matrices of every linear layer
        inner = [(16, 16)] * 4 + [(16, 32), (32, 16)]
        assert adapted.trainable == 2 * sum(4 * (a + b) for a, b in inner) + 2 * 16 + 2
    if kind == "rslora":
        layer = next(m for m in model.modules() if hasattr(m, "lora_A"))
        assert layer.scaling["default"] == 8 / 4**0.5


@pytest.mark.parametrize(("model", "kinds"), [("gpt2", {"Conv1D"}), ("vit", {"Linear"}), ("resnet", {"Conv2d"})])
def test_lora_finds_what_to_adapt_in_every_architecture(
    model: str, kinds: set[str], models: Any, tasks: Any, untrained: Any, tmp_path: Path
) -> None:
    _, ledger, adapted = adapt(trial(models[model], tasks[model], "lora", {"r": 2}), tmp_path)
    wrapped = {type(m.base_layer).__name__ for m in untrained[0].modules() if hasattr(m, "base_layer")}
    assert wrapped == kinds
    assert adapted.stored_bytes == 4 * adapted.trainable < 4 * adapted.total
    assert not any("convolutions" in note for note in ledger.notes)  # none has grouped ones


def test_an_adapter_that_starts_at_nothing_answers_as_the_frozen_model_does(
    models: Any, tasks: Any, untrained: Any, tmp_path: Path
) -> None:
    for regime, model in (("lora", "resnet"), ("full", "resnet"), ("lora", "bert"), ("full", "bert")):
        chosen = trial(models[model], tasks[model], regime, {"r": 2} if regime == "lora" else {})
        made, _, adapted = adapt(chosen, tmp_path)
        found = adapted.predict(made.parts["test"]).answers
        if regime == "lora":
            expected = found
        else:
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rr": 4}, r"LoraConfig has no parameter 'rr'; (did you mean 'r'\?|known: )"),
        ({"use_dorra": True}, r"LoraConfig has no parameter 'use_dorra'; did you mean 'use_dora'\?"),
        ({"config": "LoarConfig"}, r"PEFT has no configuration 'LoarConfig'; did you mean 'LoraConfig'\?"),
        ({"config": "PeftModel"}, r"PEFT has no configuration 'PeftModel'"),
        ({"r": 2, "layers_pattern": "x"}, "LoraConfig refuses these parameters"),
    ],
)
def test_what_peft_does_not_know_is_named_before_anything_runs(parameters: Json, message: str) -> None:
    module = plugins.load("regimes", "lora")
    with pytest.raises(UsageError, match=message):
        module.check(module.Parameters.model_validate(parameters))


def test_what_peft_knows_passes_the_check() -> None:
    module = plugins.load("regimes", "lora")
    for parameters, _ in PEFT.values():
        module.check(module.Parameters.model_validate(parameters))


def test_modules_that_the_model_does_not_have_are_not_applicable(models: Any, tasks: Any, tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="PEFT cannot adapt this model"):
        adapt(trial(models["bert"], tasks["bert"], "lora", {"target_modules": ["nowhere"]}), tmp_path)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_trains_is_kept_in_fp32_whatever_the_frozen_weights_are_in(
    dtype: str, models: Any, tasks: Any, untrained: Any, tmp_path: Path
) -> None:
    for regime in ("full", "partial", "lora", "retrain"):
        chosen = trial(models["bert"], tasks["bert"], regime, {"blocks": 1} if regime == "partial" else {})
        chosen.model["parameters"]["dtype"] = dtype
        adapt(chosen, tmp_path)
        assert {p.dtype for p in untrained[-1].parameters() if p.requires_grad} == {torch.float32}
    frozen = {p.dtype for p in untrained[2].parameters() if not p.requires_grad}
    assert frozen == {getattr(torch, dtype)}


def test_a_probe_is_scikit_learns_on_features_taken_by_hand(models: Any, tasks: Any, tmp_path: Path) -> None:
    found, _, adapted = adapt(trial(models["bert"], tasks["bert"], "linear-probe", tuned={"C": 0.5}), tmp_path)
    model = transformers.BertModel.from_pretrained(models["bert"]).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(models["bert"])

    def features(split: str) -> np.ndarray:
        rows = []
        for text in found.examples(split).inputs:
            with torch.no_grad():
                rows.append(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy())
        return np.stack(rows).astype(np.float64)

    train, test = found.parts["train"], found.parts["test"]
    scaler = StandardScaler().fit(features("train")[train.indices])
    probe = LogisticRegression(C=0.5, max_iter=1000).fit(
        scaler.transform(features("train")[train.indices]), train.labels
    )
    expected = probe.predict_proba(scaler.transform(features("test")))
    np.testing.assert_allclose(np.exp(adapted.predict(test).answers[0]), expected, atol=1e-4)
    total = sum(p.numel() for name, p in model.named_parameters() if "pooler" not in name)
    assert (adapted.trainable, adapted.total) == (17 * 2, total + 17 * 2)


def test_features_are_computed_once_for_all_trials(
    models: Any, tasks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    original = loading.classifier
    monkeypatch.setattr(
        "bench.modeling.models.loading.classifier", lambda *a, **k: built.append(1) or original(*a, **k)
    )
    first = trial(models["bert"], tasks["bert"], "linear-probe", seed=0)
    second = trial(models["bert"], tasks["bert"], "linear-probe", seed=1, tuned={"C": 3.0})
    found, ledger, adapted = adapt(first, tmp_path)
    adapted.predict(found.parts["test"])
    assert len(built) == 2  # the train split and the test split
    again, other, adapted = adapt(second, tmp_path)
    adapted.predict(again.parts["test"])
    assert len(built) == 2
    for one, costs in ((found, ledger), (again, other)):  # what they cost is charged to both
        assert costs.stages.seconds["train"] > one.features.seconds(one.parts["train"]) > 0


def test_no_stage_is_charged_for_features_of_its_own_computing(models: Any, tasks: Any, tmp_path: Path) -> None:
    spec, location = tasks["bert"]
    task = ({**spec, "splits": {**spec["splits"], "validation": "train"}}, location)
    found, _, _ = adapt(trial(models["bert"], task, "linear-probe", validation="full"), tmp_path)
    assert all(found.features.seconds(found.parts[name]) > 0 for name in ("train", "validation", "test"))


def test_a_probe_on_one_class_answers_it(models: Any, tasks: Any, tmp_path: Path) -> None:
    chosen = trial(models["bert"], tasks["bert"], "linear-probe", size=1)
    found, ledger, adapted = adapt(chosen, tmp_path)
    answers = adapted.predict(found.parts["test"]).answers[0].argmax(axis=1)
    assert set(answers) == {int(found.parts["train"].labels[0])}
    assert any("alike" in note for note in ledger.notes)


def pooled(folder: Path, modality: str, batch: dict[str, torch.Tensor], pooling: str | None = None) -> torch.Tensor:
    chosen = pooling or Facts.from_files(configs(folder, "m")).default_pooling()
    model = loading.classifier(
        folder, classes=2, pooling=chosen, modality=modality, pretrained=True, seed=0, dropout=0.0
    ).eval()
    with torch.no_grad():
        return model.features(batch)


def test_text_is_pooled_over_its_own_tokens(models: Any) -> None:
    ids, padded = torch.tensor([[2, 7, 9, 3]]), torch.tensor([[2, 7, 9, 3, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    bert = transformers.BertModel.from_pretrained(models["bert"]).eval()
    gpt2 = transformers.GPT2Model.from_pretrained(models["gpt2"]).eval()
    with torch.no_grad():
        states, last = bert(ids).last_hidden_state, gpt2(ids).last_hidden_state
        own = bert(ids).pooler_output
    batch = {"input_ids": padded, "attention_mask": mask}
    torch.testing.assert_close(pooled(models["bert"], "text", batch), states.mean(dim=1))
    torch.testing.assert_close(pooled(models["gpt2"], "text", batch), last[:, -1])
    torch.testing.assert_close(pooled(models["bert"], "text", batch, "cls"), states[:, 0])
    torch.testing.assert_close(pooled(models["bert"], "text", batch, "pooler"), own)


def test_images_are_pooled_as_their_architecture_does(models: Any, tmp_path: Path) -> None:
    pixels = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    vit = transformers.ViTModel.from_pretrained(models["vit"]).eval()
    resnet = transformers.ResNetModel.from_pretrained(models["resnet"]).eval()
    with torch.no_grad():
        cls, feature_map = vit(pixels).last_hidden_state[:, 0], resnet(pixels).last_hidden_state
    batch = {"pixel_values": pixels}
    torch.testing.assert_close(pooled(models["vit"], "image", batch), cls)
    torch.testing.assert_close(pooled(models["resnet"], "image", batch), feature_map.mean(dim=(2, 3)))
    tiny_image_text("clip", tmp_path)
    clip = transformers.CLIPVisionModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(pooled(tmp_path, "image", batch), clip(pixels).pooler_output)


def test_token_types_are_kept_from_models_that_know_none(tmp_path: Path) -> None:
    tokenizer = tiny_bert("BertModel", tmp_path)[1]
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=64
    )
    transformers.DistilBertModel(config).save_pretrained(tmp_path)
    batch = {"input_ids": torch.tensor([[2, 7, 3]]), "attention_mask": torch.ones(1, 3, dtype=torch.int64)}
    torch.testing.assert_close(
        pooled(tmp_path, "text", {**batch, "token_type_ids": torch.zeros(1, 3, dtype=torch.int64)}),
        pooled(tmp_path, "text", batch),
    )


@pytest.mark.parametrize("model", ["bert", "gpt2"])
def test_texts_longer_than_the_model_can_take_are_cut(model: str, models: Any) -> None:
    from bench.modeling.encoding.text import tokenise

    assert tokenise(models[model], ["film " * 500], 128).lengths.tolist() == [64]


def test_a_decoder_keeps_no_cache_while_it_trains(models: Any) -> None:
    model = loading.classifier(
        models["gpt2"], classes=2, pooling="last", modality="text", pretrained=True, seed=0, dropout=0.0
    )
    assert model.backbone(input_ids=torch.tensor([[2, 7]])).past_key_values is None
