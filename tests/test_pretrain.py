"""Models pretrained here: reproducible, better than before, and innocent of what they are tested on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from bench import plugins
from bench.errors import DataError, ModelError
from bench.model_sources.pretrain import PretrainParameters, Text, _pretrain
from bench.modeling.models.facts import Facts
from bench.training.pretraining import small_model
from bench.training.pretraining.recipes import MaskedLM

builtin, pretrain = plugins.load("data_sources", "builtin"), plugins.load("model_sources", "pretrain")
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
DIGITS = {"builtin": "digits", "classes": [0, 1]}
RESNET = {"embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1], "layer_type": "basic"}
WORDS = [f"{kind}{number}" for kind in ("red", "green", "blue") for number in range(8)]


def text_recipe(**changes: Any) -> MaskedLM:
    spec = {"objective": "masked-lm", "architecture": "bert", "config": SMALL, "vocabulary": 300, "max_length": 24}
    return MaskedLM.model_validate({**spec, "epochs": 12, "learning_rate": 1e-2, **changes})


def images(architecture: str = "resnet", **changes: Any) -> PretrainParameters:
    config = {"resnet": RESNET, "vit": {**SMALL, "patch_size": 4}}.get(architecture, {})
    spec = {"objective": "classification", "architecture": architecture, "data": DIGITS, "config": config}
    return PretrainParameters.model_validate({"pretrain": {**spec, "image_size": 16, "epochs": 2, **changes}})


def passages() -> list[str]:
    """Each about one colour, whose words follow each other in a fixed order."""
    generator = np.random.default_rng(0)
    starts = generator.integers(len(WORDS), size=120)
    return [" ".join(WORDS[s // 8 * 8 + (s + i) % 8] for i in range(4)) for s in starts]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def masked_loss(model: Any, tokenizer: Any, texts: list[str]) -> float:
    """Mean loss, in nats, of each token of each text hidden in turn, special ones left alone."""
    losses = []
    for text in texts:
        ids = torch.tensor(tokenizer(text)["input_ids"])
        inner = torch.arange(1, len(ids) - 1)
        batch = ids.repeat(len(inner), 1)
        batch[torch.arange(len(inner)), inner] = tokenizer.mask_token_id
        with torch.inference_mode():
            logits = model(input_ids=batch).logits[torch.arange(len(inner)), inner]
        losses.append(torch.nn.functional.cross_entropy(logits, ids[inner]).item())
    return float(np.mean(losses))


@pytest.mark.parametrize("embeddings", ["random", "lsa"])
def test_the_same_recipe_gives_the_same_text_model(tmp_path: Path, embeddings: str) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        recipe = text_recipe(epochs=1, seed=seed, embeddings=embeddings)
        small_model.masked_lm(recipe, passages(), tmp_path / name)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")
    for file in ("config.json", "tokenizer.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_masked_words_are_told_better_than_by_their_frequency(tmp_path: Path) -> None:
    texts = passages()
    small_model.masked_lm(text_recipe(epochs=40, config={**SMALL, "hidden_dropout_prob": 0.0}), texts, tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    ids = np.concatenate([tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts])
    shares = np.bincount(ids) / len(ids)
    unigram = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
    assert masked_loss(model, tokenizer, texts[:20]) < 0.8 * unigram


def test_the_tokenizer_fills_a_cloze(tmp_path: Path) -> None:
    small_model.masked_lm(text_recipe(epochs=1), passages(), tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    whole, hidden = tokenizer("red1 Red2 red3")["input_ids"], tokenizer("red1 [MASK] red3")["input_ids"]
    assert whole[0] == tokenizer.cls_token_id
    assert whole[-1] == tokenizer.sep_token_id
    assert tokenizer.unk_token_id not in tokenizer("naïve … 日本")["input_ids"]
    assert tokenizer.decode(whole[1:-1]).split() == ["red1", "red2", "red3"]
    word = tokenizer(" red2", add_special_tokens=False)["input_ids"]
    at = hidden.index(tokenizer.mask_token_id)
    assert hidden[:at] + word + hidden[at + 1 :] == whole


def test_weights_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            (tmp_path / str(threads)).mkdir()
            torch.set_num_threads(threads)
            small_model.masked_lm(text_recipe(epochs=1), passages(), tmp_path / str(threads))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert weights(tmp_path / "1") == weights(tmp_path / "2")


@pytest.mark.parametrize("architecture", ["resnet", "vit", "mobilenet_v1"])
def test_an_image_model_is_kept_whole(architecture: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parameters = images(architecture)
    found = pretrain.lock(parameters)
    folder = pretrain.fetch(parameters, found["fingerprint"])
    assert {name: (folder / name).read_text() for name in found["files"]} == found["files"]
    facts = Facts.from_files(found["files"])
    assert (facts.modality, facts.head, facts.labels) == ("image", "image-classification", ("0", "1"))
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    assert processor.do_rescale
    assert processor.do_normalize
    first = weights(folder)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    again = pretrain.fetch(parameters, found["fingerprint"])
    assert again != folder
    assert weights(again) == first


def test_an_image_model_learns_its_classes() -> None:
    parameters = images(epochs=6, learning_rate=1e-2)
    folder = pretrain.fetch(parameters, pretrain.lock(parameters)["fingerprint"])
    test = builtin.fetch(parameters.pretrain.data, builtin.lock(parameters.pretrain.data)["fingerprint"])["test"]
    model = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    with torch.inference_mode():
        logits = model(**processor([image.convert("RGB") for image in test["image"]], return_tensors="pt")).logits
    assert np.mean(logits.argmax(-1).numpy() == np.array(test["label"])) > 0.9


def test_the_fingerprint_holds_recipe_and_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pretrain.lock(images())["fingerprint"]
    assert pretrain.lock(images())["fingerprint"] == first
    others = [images(epochs=1), images(seed=1), images(data={"builtin": "digits", "classes": [1, 0]})]
    assert len({first, *(pretrain.lock(parameters)["fingerprint"] for parameters in others)}) == 4
    real = builtin.lock
    monkeypatch.setattr(type(builtin), "lock", lambda *_: {"fingerprint": real(images().pretrain.data)["fingerprint"]})
    assert pretrain.lock(images(data={"builtin": "digits", "classes": [2, 3]}))["fingerprint"] != first


def test_another_corpus_than_was_locked_is_refused() -> None:
    with pytest.raises(DataError, match="other content"):
        pretrain.fetch(images(), "0" * 64)


def test_it_learns_from_no_test_example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[str] = []
    monkeypatch.setattr(small_model, "masked_lm", lambda recipe, texts, folder: seen.extend(texts))
    recipe = {**text_recipe().model_dump(), "data": {"builtin": "python-docs"}}
    parameters = PretrainParameters.model_validate({"pretrain": recipe}).pretrain
    assert isinstance(parameters, Text)
    corpus = builtin.lock(parameters.data)["fingerprint"]
    _pretrain(parameters, corpus, tmp_path)
    splits = builtin.fetch(parameters.data, corpus)
    assert seen == list(splits["unlabelled"]["text"])
    assert not set(seen) & set(splits["test"]["text"])


def test_what_does_not_go_together() -> None:
    with pytest.raises(DataError, match="has no texts, which masked-lm learns from"):
        pretrain.lock(
            PretrainParameters.model_validate(
                {"pretrain": {**json.loads(text_recipe().model_dump_json()), "data": DIGITS}}
            )
        )
    with pytest.raises(ModelError, match="no `config` key 'hiden_sizes'; did you mean 'hidden_sizes'"):
        pretrain.lock(images(config={"hiden_sizes": [4]}))
    with pytest.raises(ModelError, match="resnet refuses its `config`"):
        pretrain.lock(images(config={"layer_type": "round"}))
    for other in ("bert", "rezznet"):
        with pytest.raises(ModelError, match=f"transformers knows no image architecture '{other}'"):
            pretrain.lock(images(other))
