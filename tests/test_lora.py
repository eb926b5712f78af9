"""LoRA on every architecture: it trains, its adapter saves and loads, and merging it leaves predictions as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tiny_models import bytes_bpe, tiny_causal, tiny_seq2seq, wordpiece
from tiny_tasks import job, text_task, trial

from bench import plugins
from bench.regimes import lora
from bench.suite.trial import Json
from bench.training.job import Job
from bench.trial.forgetting import merged

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
ENDS = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
ENCODERS: dict[str, tuple[str, Json]] = {
    "bert": ("BertConfig", SMALL),
    "roberta": ("RobertaConfig", SMALL | ENDS),
    "distilbert": ("DistilBertConfig", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}),
    "deberta-v2": ("DebertaV2Config", SMALL | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "modernbert": ("ModernBertConfig", SMALL | ENDS | {"cls_token_id": 2, "sep_token_id": 3}),
    "xlm-r": ("XLMRobertaConfig", SMALL | ENDS),
    "mpnet": ("MPNetConfig", SMALL | ENDS),
}
"""Configurations of encoders with [PAD] 0, [CLS] 2 and [SEP] 3."""
WRITERS = ("gpt2", "llama", "qwen2", "marian", "t5", "bart", "mbart", "bert2bert")
CASES = [*((name, "classes") for name in (*ENCODERS, "gpt2", "llama", "qwen2")), *((name, "texts") for name in WRITERS)]


def build(family: str, folder: Path) -> None:
    """A model of two layers with random weights, and its tokenizer."""
    if family in ("gpt2", "llama"):
        tiny_causal(family, folder)
    elif family in ("marian", "t5", "bart", "mbart"):
        tiny_seq2seq(family, folder)
    elif family == "qwen2":
        tokenizer = bytes_bpe(folder)
        end, options = tokenizer.eos_token_id, SMALL | {"num_key_value_heads": 1, "max_position_embeddings": 128}
        config = transformers.Qwen2Config(**options, vocab_size=len(tokenizer) + 8, bos_token_id=end, eos_token_id=end)
        _save(config, folder, "AutoModelForCausalLM")
    else:
        kind, options = ENCODERS["bert" if family == "bert2bert" else family]
        config = getattr(transformers, kind)(
            **options, vocab_size=len(wordpiece(folder)), max_position_embeddings=130, initializer_range=0.3
        )
        _save(config, folder, "AutoModelForMaskedLM" if family == "bert2bert" else "AutoModel")
    if family == "mpnet":  # as sentence-transformers' all-mpnet-base-v2
        names = ("Transformer", "Pooling", "Normalize")
        (folder / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.models.{n}"} for n in names]))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling/config.json").write_text('{"pooling_mode_mean_tokens": true}')


def _save(config: Any, folder: Path, auto: str) -> None:
    torch.manual_seed(0)
    getattr(transformers, auto).from_config(config).save_pretrained(folder)


def written_task(folder: Path, languages: tuple[str, str] | None) -> tuple[Json, Json]:
    """The classification's texts, and their labels to write."""
    task, location = text_task(folder)
    kind = plugins.load("tasks", "translation")
    own = {"max_source": 32, "max_target": 8, "decoding": {"max_new_tokens": 4}, "languages": languages}
    changed = {"kind": "translation", "version": kind.VERSION, "parameters": {"metrics": [], **own}}
    return {**task, **changed, "columns": {"source": "text", "target": "label"}}, location


def outputs(of: Job, model: Any) -> torch.Tensor:
    """Log-probabilities of the test split's classes, or of its targets' tokens."""
    part = of.parts["test"]
    if of.task.OBJECTIVE == "classes":
        return torch.from_numpy(of.objective.answer(of, model.eval(), part))
    batch = of.encoded("test").batch(part.indices, of.device)
    with torch.no_grad():
        logits = model.backbone.eval()(**{name: value for name, value in batch.items() if name != "keep"}).logits
    return logits.log_softmax(-1)  # type: ignore[no-any-return]


def fresh(of: Job, backbone: Any, trained: Any) -> Any:
    """The pretrained model with another backbone, and with the trained head."""
    found = of.model(pretrained=True, frozen=True)
    if of.task.OBJECTIVE == "classes":
        found.head.load_state_dict(trained.head.state_dict())
    found.backbone = backbone(found.backbone)
    return found


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False", "ignore:Version v4.12.0:FutureWarning")
@pytest.mark.parametrize(("family", "answers"), CASES, ids=["-".join(case) for case in CASES])
def test_lora_trains_saves_and_merges(
    family: str, answers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import peft

    (tmp_path / "model").mkdir()
    build(family, tmp_path / "model")
    languages = ("en_XX", "ro_RO") if family == "mbart" else None
    task = text_task(tmp_path) if answers == "classes" else written_task(tmp_path, languages)
    of = job(trial(tmp_path / "model", task, "lora", {"r": 2}, budget={"steps": 6}), tmp_path / "results")
    models: list[Any] = []
    before: list[torch.Tensor] = []
    train = Job.train

    def watched(self: Job, model: Any) -> None:
        models.append(model)
        before.append(outputs(self, model))
        train(self, model)

    monkeypatch.setattr(Job, "train", watched)
    adapted = lora.adapt(of, lora.Parameters.model_validate({"r": 2}))
    (model,) = models
    layers = [n for n, m in adapted.backbone.named_modules() if isinstance(m, peft.tuners.lora.LoraLayer)]  # type: ignore[union-attr]
    assert len(layers) >= 4
    for name, weight in adapted.backbone.named_parameters():  # type: ignore[union-attr]
        assert weight.requires_grad == ("lora_" in name), name
        assert "lora_B" not in name or weight.abs().sum() > 0, f"{name} did not train"
    found = outputs(of, model)
    assert np.isfinite(found.numpy()).all()
    assert not torch.allclose(found, before[0], atol=1e-3)
    assert adapted.stored_bytes < 4 * adapted.total

    model.backbone.save_pretrained(tmp_path / "adapter")
    loaded = fresh(of, lambda base: peft.PeftModel.from_pretrained(base, tmp_path / "adapter"), model)
    torch.testing.assert_close(outputs(of, loaded), found, rtol=1e-5, atol=1e-5)
    whole = fresh(of, lambda base: merged(model.backbone), model)
    assert not any("lora_" in name for name, _ in whole.named_parameters())
    torch.testing.assert_close(outputs(of, whole), found, rtol=0, atol=1e-4)
