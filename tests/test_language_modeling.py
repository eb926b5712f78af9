"""Language modelling: likelihoods against the plain loop of transformers' own page on perplexity, and by hand."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from click.testing import CliRunner
from tiny_models import TEXTS, pad_on, tiny_bert, tiny_causal, tiny_roberta, tiny_seq2seq
from tiny_tasks import _task, adapt, context, trial
from torch.nn.functional import cross_entropy

from bench import plugins
from bench.cli import main
from bench.contracts import Context, Part
from bench.errors import Diverged, ModelError, TrialError
from bench.modeling.encoding.text import tokenizer_for
from bench.modeling.models.language_model import language_model
from bench.objectives.likelihoods import _scored_tokens
from bench.store import records
from bench.tasks.language_modeling import LanguageModeling
from bench.training.build import build
from bench.training.loop import Step
from bench.trial import evaluation

language_modeling = LanguageModeling()

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
CPU = torch.device("cpu")
likelihoods = plugins.load("objectives", "likelihoods")
perplexity, bits_per_byte = plugins.load("metrics", "perplexity"), plugins.load("metrics", "bits-per-byte")
HUB = Path(__file__).parents[2] / "shared" / "hub"
ROWS = [" \n", "the film", "", "dull 🤖 dull", *TEXTS, "", "ünïcode joy", *TEXTS[::-1], "a good end"]


def recipe(model: Any, tokenizer: Any, text: str, max_length: int, stride: int, uncounted: int = 1) -> float:
    """Perplexity as transformers' page on models of fixed length documents it, one window at a time.

    It weights every window by one token less than it scores, as only the first should be: that moves the fifth digit
    where windows are long. uncounted: 0 weights them by what they score.
    """
    input_ids = tokenizer(text, return_tensors="pt", verbose=False).input_ids
    total, count, scored = 0.0, 0, 0
    for begin in range(0, input_ids.size(1), stride):
        end = min(begin + max_length, input_ids.size(1))
        window = input_ids[:, begin:end]
        labels = window.clone()
        labels[:, : -(end - scored)] = -100
        with torch.no_grad():
            loss = model(window, labels=labels).loss
        tokens = int((labels != -100).sum()) - (uncounted if begin else 1)
        total, count, scored = total + float(loss) * tokens, count + tokens, end
        if end == input_ids.size(1):
            break
    return math.exp(total / count)


def test_a_perplexity_that_is_no_finite_number_is_no_score() -> None:
    with pytest.raises(Diverged, match="perplexity is no finite number"):
        evaluation.scores(likelihoods, ["perplexity"], None, np.array([[[1e6, 1.0, 1.0]]]))


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


def as_is(folder: Path, task: Any, model: Path | None = None, **changes: Any) -> tuple[Context, Any]:
    """The context, and what the model answers to the test split."""
    regime = {"kind": "zero-shot", "version": 1, "way": "as-is-lm", "way_version": 1, "parameters": {}}
    one = trial(model or folder / "model", task, "zero-shot", **changes)
    found, _, adapted = adapt(replace(one, regime=regime), folder / "out")
    return found, adapted.predict(found.parts["test"]).answers[0]


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_likelihoods_are_a_plain_loops_and_each_rows_own(family: str, tmp_path: Path) -> None:
    task = made(tmp_path, family, max_length=20, stride=8)
    found, answers = as_is(tmp_path, task)
    model = build(found, pretrained=True, frozen=True).eval().backbone
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
    task = made(tmp_path, "gpt2", ROWS * 5)
    found, answers = as_is(tmp_path, task)
    model = build(found, pretrained=True, frozen=True).eval().backbone
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = recipe(model, tokenizer_for(tmp_path / "model"), "\n\n".join(ROWS * 5), 64, 32, uncounted=0)
    score = perplexity.score(None, answers)
    assert score == pytest.approx(expected, rel=1e-5)


@pytest.mark.hub
@pytest.mark.skipif(not HUB.exists(), reason="the local Hub mirror is absent")
def test_perplexity_of_wikitext_is_the_documented_recipes(tmp_path: Path) -> None:
    import pandas as pd

    folder = HUB / "models/mirror/stories260k-llama"
    lines = pd.read_parquet(next((HUB / "datasets/Salesforce/wikitext/wikitext-2-v1").glob("test-*")))["text"].tolist()
    task = made(tmp_path, "gpt2", lines[:80], max_length=512, stride=256)
    found, answers = as_is(tmp_path, task, folder)
    model = build(found, pretrained=True, frozen=True).eval().backbone
    expected = recipe(model, tokenizer_for(folder), "\n\n".join(lines[:80]), 512, 256)
    assert perplexity.score(None, answers) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "llama", "BertForMaskedLM", "roberta"])
def test_the_batch_size_changes_no_likelihood(family: str, tmp_path: Path) -> None:
    task = made(tmp_path, family, ROWS * 2, max_length=32, stride=24)
    kept = []
    for size, side in ((1, "right"), (3, "left"), (8, "right"), (8, "left")):
        pad_on(side, tmp_path / "model")
        training = {"precision": "fp32", "evaluation_batch_size": size}
        _, answers = as_is(tmp_path, task, training=training)
        kept.append(answers)
    for other in kept[1:]:
        np.testing.assert_allclose(other, kept[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "BertForMaskedLM"])
def test_training_is_the_mean_over_what_windows_tell(family: str, tmp_path: Path) -> None:
    task = made(tmp_path, family, max_length=24, stride=8)
    found, _ = context(trial(tmp_path / "model", task, "full", size=12), tmp_path / "out")
    part = found.parts["train"]
    model = build(found, pretrained=True)
    goal = likelihoods.goal(found, part)
    assert goal.lengths.max() == 24
    ids = found.features.encoded("train").part(part.indices).whole().ids
    total = 0.0
    if family == "gpt2":
        for begin in range(0, len(ids), 24):
            window = torch.tensor(ids[begin : begin + 24].astype(np.int64))[None]
            logits = model.backbone(window).logits[0].detach()
            total += float(cross_entropy(logits[:-1], window[0, 1:], reduction="sum"))
        assert goal.weights.sum() == len(ids) - len(goal.weights)
    else:
        reading: Any = _scored_tokens(found, part, train=True)
        hidden = reading.masked
        assert hidden.tokens.lengths.sum() - 2 * len(reading.lengths) == len(ids) - 2
        assert 0.1 < goal.weights.sum() / len(ids) < 0.2
        for row in range(len(reading.lengths)):
            batch = hidden.batch(np.array([row]), CPU)
            positions = batch.pop("positions")
            logits = model.backbone(**batch).logits[0, positions[0]].detach()
            total += float(cross_entropy(logits, torch.tensor(hidden.labels[row]), reduction="sum"))
    for micro in (1, 3, 8):
        loss = Step(model, goal, found.training, micro, CPU).backward(np.arange(len(goal.weights)))
        assert float(loss) == pytest.approx(total / goal.weights.sum(), rel=1e-4)


def test_hidden_tokens_are_the_same_in_every_trial_and_have_no_bytes(tmp_path: Path) -> None:
    task = made(tmp_path, "BertForMaskedLM", max_length=24, stride=8)
    trials = [trial(tmp_path / "model", task, "full", seed=seed) for seed in (0, 1)]
    found, again = [context(one, tmp_path / "out")[0] for one in trials]
    one, other = [_scored_tokens(here, here.parts["test"]) for here in (found, again)]
    assert one.positions().tolist() == other.positions().tolist()
    answers = likelihoods.answer(found, build(found, pretrained=True).eval(), found.parts["test"]).answers[0]
    assert answers[:, 1].sum() == len(set(one.positions().tolist())) > 5
    assert np.isnan(answers[:, 2]).all()
    assert perplexity.score(None, answers) > 1


def test_a_merged_adapter_finds_texts_as_likely(tmp_path: Path) -> None:
    task = made(tmp_path, "llama", max_length=24, stride=8)
    found, _ = context(trial(tmp_path / "model", task, "lora"), tmp_path / "out")
    model = build(found, pretrained=True, frozen=True)
    before = likelihoods.answer(found, model.eval(), found.parts["test"]).answers
    model.backbone = peft.get_peft_model(
        model.backbone, peft.LoraConfig(target_modules="all-linear", init_lora_weights=False)
    )
    adapted = likelihoods.answer(found, model.eval(), found.parts["test"]).answers
    assert abs(adapted - before)[0, :, 0].max() > 0.01
    model.backbone = model.backbone.merge_and_unload()
    merged = likelihoods.answer(found, model.eval(), found.parts["test"]).answers
    np.testing.assert_allclose(merged, adapted, rtol=1e-4, atol=1e-4)


def test_unigrams_are_counted_in_the_train_part(tmp_path: Path) -> None:
    task = made(tmp_path, "gpt2", max_length=24, stride=8)
    found, _ = context(trial(tmp_path / "model", task, "full", size=12), tmp_path / "out")
    answers = likelihoods.baselines(found, found.parts["test"])["unigram"]()[0]
    seen = found.features.encoded("train").part(found.parts["train"].indices).ids.tolist()
    ids = found.features.encoded("test").whole().ids.tolist()[1:]
    size = len(tokenizer_for(tmp_path / "model"))
    expected = [-math.log((seen.count(token) + 1) / (len(seen) + size)) for token in ids]
    assert answers[:, 0].sum() == pytest.approx(sum(expected))
    assert perplexity.score(None, answers) < size


def test_rows_without_a_token(tmp_path: Path) -> None:
    task = made(tmp_path, "gpt2", max_length=24, stride=8)
    found, _ = context(trial(tmp_path / "model", task, "full", size=12), tmp_path / "out")
    empty = Part("test", np.array([len(ROWS)]), np.array([len(ROWS)]))  # no such row: nothing is told of it
    model = build(found, pretrained=True).eval()
    assert likelihoods.answer(found, model, empty).answers.tolist() == [[[0, 0, 0]]]
    for refused in (likelihoods.goal, likelihoods.targets):
        with pytest.raises(TrialError, match="1 rows hold no token to"):
            refused(found, empty)
    texts = found.examples("train").inputs
    assert all(any(texts[i].strip() for i in found.parts[name].indices) for name in ("train", "validation"))


def test_a_head_without_weights_tells_nothing(tmp_path: Path) -> None:
    tiny_bert("BertModel", tmp_path)
    with pytest.raises(ModelError, match="lack the weights of cls"):
        language_model(tmp_path, masked=True, pretrained=True, seed=0)
    assert language_model(tmp_path, masked=True, pretrained=False, seed=0)


SUITE = """\
name: l
models: {gpt: {folder: gpt}, bert: {folder: bert}, t5: {folder: t5}}
tasks:
  text: {kind: language-modeling, data: {files: a.jsonl}, splits: {test: 0.3}, max_length: 32, stride: 16}
  bytes:
    kind: language-modeling
    data: {files: a.jsonl}
    splits: {test: 0.3}
    max_length: 32
    stride: 16
    metrics: [bits-per-byte, perplexity]
regimes: {zero-shot: , linear-probe: , partial: {blocks: 1}, lora: {r: 4}, full: {learning_rate: 0.01}, retrain: }
sizes: [40]
label_noise: [0, 0.2]
seeds: 1
tuning: null
budget: {steps: 20}
training: {batch_size: 8, dropout: 0}
"""


def test_from_a_suite_to_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("gpt", "bert", "t5"):
        Path(name).mkdir()
    tiny_causal("gpt2", Path("gpt"))
    tiny_bert("BertForMaskedLM", Path("bert"))
    tiny_seq2seq("t5", Path("t5"))
    lines = [json.dumps({"text": "" if i % 5 == 0 else f"the film is long and the end is dull {i}"}) for i in range(90)]
    Path("a.jsonl").write_text("\n".join(lines))
    Path("l.yaml").write_text(SUITE)
    done = CliRunner().invoke(main, ["run", "l.yaml"])
    assert done.exit_code == 0, done.output
    read = records.read(Path("results/l")).records
    assert {r["status"] for r in read} == {"ok"}
    scores = {tuple(r["trial"]["names"][k] for k in ("model", "task", "regime")): r["scores"] for r in read}
    ways = ("zero-shot", "partial", "lora", "full", "retrain")
    pairs = (("gpt", "text"), ("gpt", "bytes"), ("bert", "text"))
    assert scores.keys() == {(*pair, way) for pair in pairs for way in ways}
    for (model, task, way), found in scores.items():
        assert found["test"]["perplexity"] > 1
        assert ("unigram" in found["baselines"]) == (way != "zero-shot")
        assert (
            scores[model, task, "full"]["test"]["perplexity"] < scores[model, task, "zero-shot"]["test"]["perplexity"]
        )
    planned = " ".join(CliRunner().invoke(main, ["plan", "l.yaml"]).output.split())
    assert "an encoder-decoder tells how likely an answer is" in planned
    assert "it has no bits-per-byte" in planned
    assert "language-modeling is not answered from one feature vector" in planned
    assert CliRunner().invoke(main, ["report", "results"]).exit_code == 0
    assert "unigram frequencies" in Path("results/l/report/report.md").read_text()


def test_a_window_shorter_than_the_default_stride_is_told_what_to_give() -> None:
    with pytest.raises(ValueError, match=r"stride \(512\) must be below max_length \(64\).*give `stride: 32`"):
        language_modeling.Parameters(max_length=64)
