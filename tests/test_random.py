"""Models with random weights: built from a recipe and a tokenizer, the same every time, and never asked as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from pydantic import ValidationError
from tiny_models import bytes_bpe, wordpiece
from tiny_tasks import question

from bench import plugins
from bench.errors import ModelError, NotApplicable
from bench.model_sources import hub
from bench.model_sources.random import RandomParameters
from bench.modeling.encoding.text import tokenizer_for
from bench.modeling.inference.choose_way import choose
from bench.modeling.models.facts import Facts
from bench.modeling.models.generator import generator
from bench.planning.lock import split

random = plugins.load("model_sources", "random")
COMMITS = {"a/wordpiece": "a" * 40, "a/bpe": "b" * 40}
BERT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
MARIAN = {
    **{f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in
       {"layers": 1, "attention_heads": 2, "ffn_dim": 16}.items()},
    "d_model": 16,
}  # fmt: skip
QUESTION = question(["bad", "good"])


@pytest.fixture(autouse=True)
def tokenizers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hub of two tokenizers, and a cache of one's own."""
    for name, commit in COMMITS.items():
        (tmp_path / commit).mkdir()
        (wordpiece if name == "a/wordpiece" else bytes_bpe)(tmp_path / commit)

    def snapshot(name: str, revision: str, patterns: Any) -> Path:
        assert revision in ("main", COMMITS[name])
        return tmp_path / COMMITS[name]

    monkeypatch.setattr(hub, "snapshot", snapshot)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


def recipe(architecture: str = "bert", tokenizer: str = "a/wordpiece", **changes: Any) -> RandomParameters:
    spec = {"architecture": architecture, "tokenizer": tokenizer, "config": BERT, **changes}
    return RandomParameters.model_validate({"random": spec})


def weights(parameters: RandomParameters) -> bytes:
    return (random.fetch(parameters, random.lock(parameters)["fingerprint"]) / "model.safetensors").read_bytes()


def test_it_is_known_by_its_recipe_and_its_tokenizers_commit() -> None:
    found = [random.lock(p)["fingerprint"] for p in (recipe(), recipe(), recipe(seed=1), recipe(tokenizer="a/bpe"))]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert [f[:40] for f in found] == ["a" * 40, "a" * 40, "a" * 40, "b" * 40]
    assert split(recipe())[1] == {"revision": "main"}


def test_the_seed_decides_and_a_lost_cache_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = weights(recipe())
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "other"))
    assert weights(recipe()) == first
    assert weights(recipe(seed=1)) != first


@pytest.mark.parametrize(
    ("architecture", "tokenizer", "config", "head"),
    [
        ("bert", "a/wordpiece", BERT, "masked-lm"),
        ("gpt2", "a/bpe", {"n_embd": 16, "n_layer": 2, "n_head": 2}, "causal-lm"),
        ("llama", "a/bpe", {**BERT, "num_key_value_heads": 1}, "causal-lm"),
        ("t5", "a/wordpiece", {"d_model": 16, "d_ff": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8}, "seq2seq-lm"),
        ("marian", "a/wordpiece", MARIAN, "seq2seq-lm"),
    ],
)
def test_it_loads_with_the_head_of_its_kind(architecture: str, tokenizer: str, config: Any, head: str) -> None:
    parameters = recipe(architecture, tokenizer, config=config)
    found = random.lock(parameters)
    facts = Facts.from_files(found["files"])
    assert (facts.head, facts.random) == (head, True)
    folder = random.fetch(parameters, found["fingerprint"])
    kept = transformers.AutoTokenizer.from_pretrained(folder)
    config_ = transformers.AutoConfig.from_pretrained(folder)
    assert config_.vocab_size == len(kept)
    assert config_.pad_token_id == (0 if tokenizer == "a/wordpiece" else kept.eos_token_id)
    assert config_.eos_token_id == (3 if tokenizer == "a/wordpiece" else kept.eos_token_id)


@pytest.mark.parametrize("architecture", ["t5", "marian", "bart"])
def test_what_reads_and_writes_can_learn_and_write(architecture: str) -> None:
    config = {"t5": {"d_model": 16, "d_ff": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8}}.get(architecture, MARIAN)
    parameters = recipe(architecture, config=config)
    folder = random.fetch(parameters, random.lock(parameters)["fingerprint"])
    model = generator(folder, pretrained=True, seed=0)
    ids = tokenizer_for(folder)(["the film was a joy"], return_tensors="pt")["input_ids"]
    assert model(input_ids=ids, labels=ids).loss.isfinite()
    written = model.generate(input_ids=ids, max_new_tokens=4, num_beams=1)  # type: ignore[operator]
    assert written.shape[1] <= 5
    assert written[0, 0] == tokenizer_for(folder).pad_token_id


def test_it_is_never_asked_as_it_is() -> None:
    facts = Facts.from_files(random.lock(recipe())["files"])
    assert choose(facts, QUESTION) == (
        None,
        "its weights are random: it has learnt nothing to answer with",
    )
    regime = plugins.load("regimes", "zero-shot")
    for way in (None, "cloze"):
        with pytest.raises(NotApplicable, match="its weights are random"):
            regime.resolve(facts, QUESTION, regime.Parameters(way=way))
    known = json.dumps({"model_type": "bert", "architectures": ["BertForMaskedLM"], "vocab_size": 9})
    assert choose(Facts.from_files({"config.json": known}), QUESTION)[0] == "cloze"


def test_a_recipe_that_cannot_be_built_is_one_sentence() -> None:
    with pytest.raises(ModelError, match="no `config` key 'hiden_size'; did you mean 'hidden_size'"):
        random.lock(recipe(config={"hiden_size": 16}))
    with pytest.raises(ModelError, match="random: transformers refuses brt"):
        random.lock(recipe("brt", config={}))
    with pytest.raises(ModelError, match="random: transformers cannot build this bert"):
        random.lock(recipe(config={**BERT, "num_attention_heads": 3}))
    with pytest.raises(ValidationError, match="no Hub id"):
        recipe(tokenizer="../x")


@pytest.mark.hub
def test_a_real_tokenizer_online_and_then_offline(
    hub_env: dict[str, str], python: Callable[[str, dict[str, str]], str]
) -> None:
    source = f"""
    from bench.model_sources.hub import snapshot
    from bench.model_sources.random import TOKENIZER, RandomModels
    random = RandomModels()
    recipe = {{"architecture": "bert", "tokenizer": "mirror/bert-base-chinese-tokenizer", "config": {BERT!r}}}
    parameters = random.Parameters.model_validate({{"random": recipe}})
    fingerprint = random.lock(parameters)["fingerprint"]
    commit = snapshot("mirror/bert-base-chinese-tokenizer", "main", TOKENIZER).name
    assert fingerprint.startswith(commit) and len(fingerprint) == 64, fingerprint
    print(fingerprint, sorted(path.suffix for path in random.fetch(parameters, fingerprint).iterdir()))
    """
    found = python(source, hub_env)
    assert ".safetensors" in found
    assert python(source, {**hub_env, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}) == found
