"""Language modelling: likelihoods against the plain loop of transformers' own page on perplexity, and by hand."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from tiny_models import TEXTS, tiny_bert, tiny_causal, tiny_roberta
from tiny_tasks import _task, adapt, job, trial

from bench import plugins
from bench.errors import NotApplicable, TrialError
from bench.metrics import bits_per_byte, perplexity
from bench.modeling import stream
from bench.modeling.facts import Facts
from bench.modeling.text import tokenizer_for
from bench.objectives import likelihoods
from bench.tasks import language_modeling as kind
from bench.training.job import Part

CPU = torch.device("cpu")
HUB = Path(__file__).parents[2] / "shared" / "hub"
ROWS = [" \n", "the film", "", "dull 🤖 dull", *TEXTS, "", "ünïcode joy", *TEXTS[::-1], "a good end"]


def recipe(model: Any, tokenizer: Any, text: str, max_length: int, stride: int) -> float:
    """Perplexity as transformers' page on models of fixed length documents it, one window at a time."""
    input_ids = tokenizer(text, return_tensors="pt", verbose=False).input_ids
    total, count, scored = 0.0, 0, 0
    for begin in range(0, input_ids.size(1), stride):
        end = min(begin + max_length, input_ids.size(1))
        window = input_ids[:, begin:end]
        labels = window.clone()
        labels[:, : -(end - scored)] = -100
        with torch.no_grad():
            loss = model(window, labels=labels).loss
        tokens = int((labels != -100).sum()) - 1
        total, count, scored = total + float(loss) * tokens, count + tokens, end
        if end == input_ids.size(1):
            break
    return math.exp(total / count)


def by_hand(model: Any, ids: list[int], max_length: int, stride: int) -> list[float]:
    """The negative log-likelihood of every token but the first, a window and a token at a time."""
    found = []
    begin = 0
    for at in range(1, len(ids)):
        while at >= begin + max_length:
            begin += stride
        with torch.no_grad():
            found.append(-float(model(torch.tensor([ids[begin : at + 1]])).logits[0, -2].log_softmax(-1)[ids[at]]))
    return found


def made(folder: Path, model: str, texts: list[str] = ROWS, **own: Any) -> Any:
    """A task of rows on disk, and a folder with a model."""
    import pandas as pd

    (folder / "model").mkdir()
    if model in ("gpt2", "llama"):
        tiny_causal(model, folder / "model")
    elif model == "roberta":
        tiny_roberta(folder / "model")
    else:
        tiny_bert(model, folder / "model")
    pd.DataFrame({"text": texts}).to_parquet(folder / "test.parquet")
    pd.DataFrame({"text": [f"{text} start" for text in texts] + [""] * 3}).to_parquet(folder / "train.parquet")
    files = {split: str(folder / f"{split}.parquet") for split in ("train", "test")}
    spec, location = _task("language-modeling", "files", {"files": files}, [], own)
    del spec["parameters"]["labels"]
    return spec, location


def as_is(folder: Path, task: Any, model: Path | None = None, **changes: Any) -> tuple[Any, Any]:
    regime = {"kind": "zero-shot", "version": 1, "way": "as-is-lm", "way_version": 1, "parameters": {}}
    one = trial(model or folder / "model", task, "zero-shot", **changes)
    return adapt(replace(one, regime=regime), folder / "out")


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_likelihoods_are_a_plain_loops_and_each_rows_own(family: str, tmp_path: Path) -> None:
    task = made(tmp_path, family, max_length=20, stride=8)
    found, adapted = as_is(tmp_path, task)
    answers = adapted.predict(found.parts["test"])[0]
    model = likelihoods.build(found, True, True).eval().backbone
    tokenizer, joined = tokenizer_for(tmp_path / "model"), "\n\n".join(ROWS)
    encoded = tokenizer(joined, return_offsets_mapping=True)
    expected = by_hand(model, encoded["input_ids"], 20, 8)
    assert answers.shape == (len(ROWS), 3)
    assert answers[:, 0].sum() == pytest.approx(sum(expected), rel=1e-5)
    assert answers[:, 1].sum() == len(expected)
    first = len(joined[: encoded["offset_mapping"][0][1]].encode())
    assert answers[:, 2].sum() == len(joined.encode()) - first
    starts = np.cumsum([0] + [len(row) + 2 for row in ROWS])
    for row in range(len(ROWS)):
        own = [i for i, (begin, _) in enumerate(encoded["offset_mapping"]) if starts[row] <= begin < starts[row + 1]]
        own = [i for i in own if i > 0]
        assert answers[row, 1] == len(own)
        assert answers[row, 0] == pytest.approx(sum(expected[i - 1] for i in own), rel=1e-4, abs=1e-6)
    assert answers[2, 2] == 2  # an empty row has what joins it to the next
    assert perplexity.score(None, answers) == pytest.approx(math.exp(sum(expected) / len(expected)), rel=1e-5)
    whole = len(joined.encode()) - first
    assert bits_per_byte.score(None, answers) == pytest.approx(sum(expected) / math.log(2) / whole, rel=1e-5)


def test_perplexity_is_the_documented_recipes(tmp_path: Path) -> None:
    task = made(tmp_path, "gpt2", ROWS * 20)
    found, adapted = as_is(tmp_path, task)
    model = likelihoods.build(found, True, True).eval().backbone
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = recipe(model, tokenizer_for(tmp_path / "model"), "\n\n".join(ROWS * 20), 64, 32)
    score = perplexity.score(None, adapted.predict(found.parts["test"])[0])
    assert score == pytest.approx(expected, rel=1e-4)


@pytest.mark.hub
@pytest.mark.skipif(not HUB.exists(), reason="the local Hub mirror is absent")
def test_perplexity_of_wikitext_is_the_documented_recipes(tmp_path: Path) -> None:
    import pandas as pd

    folder = HUB / "models/mirror/stories260k-llama"
    lines = pd.read_parquet(next((HUB / "datasets/Salesforce/wikitext/wikitext-2-v1").glob("test-*")))["text"].tolist()
    task = made(tmp_path, "gpt2", lines[:400], max_length=512, stride=256)
    found, adapted = as_is(tmp_path, task, folder)
    model = likelihoods.build(found, True, True).eval().backbone
    expected = recipe(model, tokenizer_for(folder), "\n\n".join(lines[:400]), 512, 256)
    assert perplexity.score(None, adapted.predict(found.parts["test"])[0]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "llama", "BertForMaskedLM", "roberta"])
def test_the_batch_size_changes_no_likelihood(family: str, tmp_path: Path) -> None:
    task = made(tmp_path, family, ROWS * 5, max_length=64, stride=24)
    kept = []
    for size in (1, 3, 8):
        training = {"precision": "fp32", "evaluation_batch_size": size}
        found, adapted = as_is(tmp_path, task, training=training)
        kept.append(adapted.predict(found.parts["test"])[0])
    for other in kept[1:]:
        np.testing.assert_allclose(other, kept[0], rtol=1e-4, atol=1e-4)
