"""Multiple choice: what a data set's columns mean, each way against a plain loop over choices, and a run of a suite."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner
from tiny_models import longer, pad_on, tiny_bert, tiny_causal
from tiny_tasks import _task, adapt, question, trial

from bench import plugins
from bench.cli import main
from bench.contracts import Context
from bench.data.corpora import python_docs, python_docs_next
from bench.errors import DataError, NotApplicable
from bench.metrics.accuracy import Accuracy
from bench.modeling.inference.choose_way import choose
from bench.modeling.models.facts import Facts
from bench.store import records
from bench.tasks.multiple_choice import MultipleChoice
from bench.training.build import build
from bench.training.loop import Step

kind = MultipleChoice()

CPU = torch.device("cpu")
objective = plugins.load("objectives", "choices")
ROWS = [
    ("the film was a joy", ["from start to end", "dull", "not good at all"], 0),
    ("", ["a joy", "good film"], 1),
    ("it is long and it is dull", ["a good joy", "the end is not good at all and the start is dull too"], 1),
    ("the plot", ["is good", "is bad", "is long", "is a film"], 3),
    ("a start and an end " * 3, ["a film", "a joy", "a plot"], 2),
]


def made(folder: Path, model: str, rows: Any = ROWS, **own: Any) -> Any:
    """A multiple-choice task on disk, and a folder with a model."""
    (folder / "model").mkdir()
    if model in ("gpt2", "llama"):
        tiny_causal(model, folder / "model")
    else:
        tiny_bert(model, folder / "model")
    files = {}
    for split, end in (("train", " then"), ("test", "")):
        repeated = rows * 4 if split == "train" else rows
        lines = [{"context": c + end, "choices": choices, "label": label} for c, choices, label in repeated]
        files[split] = str(folder / f"{split}.jsonl")
        Path(files[split]).write_text("".join(json.dumps(line) + "\n" for line in lines))
    spec, location = _task("multiple-choice", "files", {"files": files}, [], own)
    del spec["parameters"]["labels"]
    return spec, location


def asked(folder: Path, task: Any, way: str, size: int = 64, **parameters: Any) -> np.ndarray:
    """A way's answers to the test split."""
    pad_on("left" if size == 3 else "right", folder / "model")
    regime = {"kind": "zero-shot", "version": 1, "way": way, "way_version": 1, "parameters": parameters}
    training = {"precision": "fp32", "evaluation_batch_size": size}
    one = replace(trial(folder / "model", task, "zero-shot"), regime=regime, training=training)
    found, _, adapted = adapt(one, folder / "out")
    answers: np.ndarray = adapted.predict(found.parts["test"]).answers
    assert objective.targets(found, found.parts["test"]).tolist() == [row[2] for row in ROWS]
    return answers


def softmaxed(scores: list[list[float]]) -> list[np.ndarray]:
    return [torch.tensor(one).double().log_softmax(-1).numpy() for one in scores]


def check(found: np.ndarray, scores: list[list[float]]) -> None:
    for row, expected in zip(found, softmaxed(scores), strict=True):
        np.testing.assert_allclose(row[: len(expected)], expected, atol=1e-4)
        assert np.isneginf(row[len(expected) :]).all()


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("prior", [False, True])
@torch.inference_mode()
def test_likelihood_is_the_mean_over_the_choices_tokens(family: str, prior: bool, tmp_path: Path) -> None:
    task = made(tmp_path, family, max_length=60, templates=["so {text} = {label}", "{text}\n{label}"])
    model, tokenizer = tiny_causal(family, tmp_path / "model")

    def score(stem: str, choice: str) -> float:
        before = tokenizer(stem)["input_ids"]
        ids = tokenizer(stem + choice)["input_ids"]
        assert ids[: len(before)] == before
        each = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        return float(np.mean([each[i - 1, ids[i]] for i in range(len(before), len(ids))]))

    def one(context: str, choice: str) -> float:
        found = score(f"so {context} =".replace("so  ", "so  "), f" {choice}")
        return found - score("so  =", f" {choice}") if prior else found

    expected = [[one(context, choice) for choice in choices] for context, choices, _ in ROWS]
    for size in (1, 3, 8):
        found = asked(tmp_path, task, "choice-likelihood", size, prior=prior)
        assert found.shape == (2, len(ROWS), 4)
        check(found[0], expected)


@pytest.mark.parametrize("prior", [False, True])
@torch.inference_mode()
def test_likelihood_reads_the_shots_first(prior: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the train part, each with its right choice, before every context, and before the empty one too."""
    task = made(tmp_path, "gpt2", max_length=60, templates=["so {text} = {label}."])
    _, tokenizer = tiny_causal("gpt2", tmp_path / "model")
    model = longer(transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model"), tmp_path / "model")
    one = trial(tmp_path / "model", task, "few-shot", {"k": 2, "prior": prior}, size=12)
    one.regime.update({"way": "choice-likelihood", "way_version": 1})
    asked: list[Context] = []
    way = plugins.load("zeroshot", "choice-likelihood")
    load = way.load
    monkeypatch.setattr(way, "load", lambda context: asked.append(context) or load(context))
    _, _, adapted = adapt(one, tmp_path / "out")
    (found,) = asked
    right = {f"{context} then": choices[label] for context, choices, label in ROWS}
    assert len(found.few_shot) == 2
    assert all(answer == right[context] for (context, *_), answer in found.few_shot)
    before = "".join(f"so {context} = {right[context]}.\n\n" for (context, *_), _ in found.few_shot)

    def score(context: str, choice: str) -> float:
        ids, own = tokenizer(f"{before}so {context} =")["input_ids"], tokenizer(f" {choice}")["input_ids"]
        each = model(torch.tensor([ids + own])).logits[0].log_softmax(-1)
        return float(np.mean([each[len(ids) + i - 1, token].item() for i, token in enumerate(own)]))

    expected = [[score(context, choice) - (score("", choice) if prior else 0) for choice in choices]
                for context, choices, _ in ROWS]  # fmt: skip
    check(adapted.predict(found.parts["test"]).answers[0], expected)


def test_choices_that_leave_no_room_for_shots_say_so(tmp_path: Path) -> None:
    task = made(tmp_path, "gpt2", max_length=40)
    one = trial(tmp_path / "model", task, "few-shot", {"k": 12}, size=16)
    one.regime.update({"way": "choice-likelihood", "way_version": 1})
    found, _, adapted = adapt(one, tmp_path / "out")
    with pytest.raises(NotApplicable, match="lower k"):
        adapted.predict(found.parts["test"])


@torch.inference_mode()
def test_the_models_own_head(tmp_path: Path) -> None:
    task = made(tmp_path, "BertForMultipleChoice", max_length=60)
    model, tokenizer = tiny_bert("BertForMultipleChoice", tmp_path / "model")
    facts = Facts.from_files({"config.json": (tmp_path / "model/config.json").read_text()})
    assert choose(facts, question(objective="choices")) == ("choice-head", None)
    expected = []
    for context, choices, _ in ROWS:
        batch = tokenizer([context] * len(choices), choices, padding=True, return_tensors="pt")
        expected.append(model(**{k: v[None] for k, v in batch.items()}).logits[0].tolist())
    for size in (1, 3, 8):
        check(asked(tmp_path, task, "choice-head", size)[0], expected)


@torch.inference_mode()
def test_a_sentence_encoder_compares(tmp_path: Path) -> None:
    task = made(tmp_path, "BertModel")
    model, tokenizer = tiny_bert("BertModel", tmp_path / "model")
    modules = [{"idx": i, "path": path, "type": f"x.{name}"} for i, (path, name) in
               enumerate((("", "Transformer"), ("1_Pooling", "Pooling")))]  # fmt: skip
    (tmp_path / "model/modules.json").write_text(json.dumps(modules))
    (tmp_path / "model/1_Pooling").mkdir()
    (tmp_path / "model/1_Pooling/config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))

    def embed(text: str) -> torch.Tensor:
        return model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)

    expected = [[20 * float(torch.cosine_similarity(embed(context), embed(choice), dim=0)) for choice in choices]
                for context, choices, _ in ROWS]  # fmt: skip
    for size in (1, 3, 8):
        check(asked(tmp_path, task, "choice-similarity", size)[0], expected)


@pytest.mark.parametrize("model", ["BertModel", "gpt2"])
def test_training_is_a_softmax_over_an_examples_choices(model: str, tmp_path: Path) -> None:
    """As a plain loop over examples, and whatever the micro-batch and the evaluation batch."""
    task = made(tmp_path, model, max_length=60)
    found, _, adapted = adapt(trial(tmp_path / "model", task, "full", size=12), tmp_path / "out")
    part = found.parts["train"]
    trained = build(found, pretrained=True)
    goal = objective.goal(found, part)
    encoded, right = found.features.encoded("train"), objective.targets(found, part)
    total = 0.0
    for index, wanted in zip(part.indices, right, strict=True):
        pairs = [encoded.pairs.batch(np.array([i]), CPU) for i in encoded.flat(np.array([index]))]
        scores = torch.stack([trained(pair)[0, 0].detach() for pair in pairs])
        total += float(-scores.log_softmax(-1)[wanted])
    gradients = []
    for micro in (1, 3, 8):
        step = Step(trained, goal, found.training, micro, CPU)
        loss = step.backward(np.arange(len(part.indices)))
        assert float(loss) == pytest.approx(total / len(part.indices), rel=1e-4)
        gradients.append(trained.head.weight.grad.clone())
        trained.zero_grad()
    torch.testing.assert_close(gradients[1:], [gradients[0]] * 2, rtol=1e-3, atol=1e-5)
    answers = adapted.predict(found.parts["test"]).answers
    for size in (1, 3):
        other = objective.answer(found.replace(evaluation_batch=size), adapted.model, found.parts["test"])
        np.testing.assert_allclose(other.answers, answers, atol=1e-4)
    baseline = objective.baselines(found, found.parts["test"])["majority"]()
    assert found.majority == 1
    assert Accuracy().score(objective.targets(found, found.parts["test"]), baseline[0]) == 0.4


class Columns(dict[str, Any]):
    @property
    def column_names(self) -> list[str]:
        return list(self)


LISTED = {"context": "context", "choices": "choices", "label": "label"}


@pytest.mark.parametrize(
    ("data", "columns", "right"),
    [
        ({"choices": [["x", "y"]], "label": [1]}, LISTED, 1),
        ({"choices": [["x", "y"]], "label": ["B"]}, LISTED, 1),
        ({"choices": [["x", "y"]], "label": ["y"]}, LISTED, 1),
        ({"choices": [["x", "y"]], "label": ["1"]}, LISTED, 1),
        ({"choices": [{"text": ["x", "y"], "label": ["1", "2"]}], "label": ["1"]}, LISTED, 0),
        ({"e0": ["x"], "e1": ["y"], "label": [1]}, {**LISTED, "choices": "e0, e1"}, 1),
        ({"e0": ["x"], "e1": ["y"], "label": ["e1"]}, {**LISTED, "choices": "e0, e1"}, 1),
    ],
)
def test_a_label_names_a_choice(data: Any, columns: dict[str, str], right: int) -> None:
    found = kind.examples(Columns(context=["c"], **data), columns, kind.Parameters(), "here")
    assert found.inputs == [("c", "x", "y")]
    assert found.targets == found.labels.tolist() == [right]


def test_all_labels_are_read_alike() -> None:
    data: Any = {"context": ["2 + 2", "one"], "choices": [["3", "4", "1"], ["two", "three", "one"]]}
    for labels, right in ((["1", "1"], [1, 1]), (["1", "one"], [2, 2]), (["B", "C"], [1, 2])):
        found = kind.examples(Columns(**data, label=labels), LISTED, kind.Parameters(), "here")
        assert found.targets == right


def test_a_question_follows_its_context() -> None:
    data = Columns(context=["c", None], question=["q", "q"], choices=[["x", "y"]] * 2, label=[0, 0])
    found = kind.examples(data, {**LISTED, "question": "question"}, kind.Parameters(), "here")
    assert [one[0] for one in found.inputs] == ["c q", "q"]


@pytest.mark.parametrize(
    ("choices", "label", "said"),
    [
        (["x"], 0, "row 0, column 'choices': expected two texts or more"),
        (["x", ""], 0, "expected two texts or more"),
        (["x", "y"], 2, "column 'label': '2' names none of the 2 choices"),
        (["x", "y"], "z", "'z' names none of the 2 choices"),
        (["x", "y"], -1, "labels that the Hub hides"),
    ],
)
def test_what_is_no_choice_is_named(choices: list[str], label: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        kind.examples(Columns(context=["c"], choices=[choices], label=[label]), LISTED, kind.Parameters(), "here")


def test_the_next_sentence_of_a_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_docs, "FEWEST_EXAMPLES", 0)
    tell = [
        *("Here is what {} says {} first.", "Then comes {} and more of {}.", "After {} there is {} to tell."),
        *("No {} has ever met the {}.", "Short one.", "At last all {} go home to {}.", "So {} ends with {} here."),
    ]
    shared = "All of them have this sentence in common."
    documents = [" ".join(line.format(f"a{i}b", f"c{i}d") for line in tell) + f" {shared}" for i in range(40)]
    docstrings = [python_docs.Docstring("email/a", f"email/a:f{i}", text) for i, text in enumerate(documents)]
    found = python_docs_next._splits(docstrings)
    assert found["train"]
    assert found["test"]
    train = {sentence for row in found["train"] for sentence in (row["context"], *row["choices"])}
    assert shared in train
    for split in found:
        for row in found[split]:
            (document,) = (d for d in documents if row["context"] in d and all(c in d for c in row["choices"]))
            right = row["choices"][row["label"]]
            assert f"{row['context']} {right}" in document
            assert len(set(row["choices"])) == 4
            assert row["context"] not in row["choices"]
            assert split == "train" or train.isdisjoint({row["context"], *row["choices"]})
    assert len({row["label"] for row in found["train"]}) == 4


SUITE = """\
name: c
models: {bert: {folder: bert}, gpt: {folder: gpt}}
tasks:
  goes-on:
    kind: multiple-choice
    data: {files: a.jsonl}
    columns: {choices: "good, bad, other", label: right}
    splits: {test: 0.3}
    max_length: 24
regimes: {zero-shot: , linear-probe: , partial: {blocks: 1}, lora: {r: 4}, full: {learning_rate: 0.01}, retrain: }
sizes: [60]
label_noise: [0, 0.2]
seeds: 1
tuning: null
budget: {steps: 60}
training: {batch_size: 8, dropout: 0}
"""


def test_from_a_suite_to_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("bert", "gpt"):
        Path(name).mkdir()
    tiny_bert("BertForMaskedLM", Path("bert"))
    tiny_causal("gpt2", Path("gpt"))
    random = np.random.default_rng(0)
    with Path("a.jsonl").open("w") as file:
        for number in range(100):
            right = int(random.integers(3))
            row = {name: "a joy" if i == right else "dull" for i, name in enumerate(("good", "bad", "other"))}
            file.write(json.dumps({"context": f"the film {number}", **row, "right": "ABC"[right]}) + "\n")
    Path("c.yaml").write_text(SUITE)
    done = CliRunner().invoke(main, ["run", "c.yaml"])
    assert done.exit_code == 0, done.output
    read = records.read(Path("results/c")).records
    assert {r["status"] for r in read} == {"ok"}
    scored = {(r["trial"]["names"]["model"], r["trial"]["names"]["regime"]) for r in read}
    trained = {"partial", "lora", "full", "retrain"}
    assert scored == {("gpt", "zero-shot"), *((model, regime) for model in ("bert", "gpt") for regime in trained)}
    for record in read:
        assert 0.2 < record["scores"]["baselines"]["majority"]["accuracy"] < 0.6
        if (record["trial"]["names"]["model"], record["trial"]["names"]["regime"]) == ("bert", "full"):
            assert record["scores"]["test"]["accuracy"] > 0.9
    planned = CliRunner().invoke(main, ["plan", "c.yaml"]).output
    assert "there is no label noise for this kind of task" in planned
    assert "multiple-choice is not answered from one feature vector an example" in planned
    assert "it has no multiple-choice head" in planned
    assert CliRunner().invoke(main, ["report", "results"]).exit_code == 0
