"""Questions and their contexts: windows, spans, the model's own heads, and a suite from its data to its scores."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_tasks
import torch
import transformers
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tiny_models import CHATML, TEXTS, chat_model, tiny_bert, tiny_causal, tiny_roberta, tiny_seq2seq, wordpiece

from bench import api, plugins
from bench.cli import main
from bench.contracts import Context, Predictions
from bench.data.examples import Examples
from bench.errors import DataError, ModelError, NotApplicable
from bench.modeling.encoding import context_windows
from bench.modeling.encoding.context_windows import Windows
from bench.modeling.encoding.text import tokenizer_for
from bench.modeling.heads.span_extraction import best
from bench.modeling.inference.choose_way import choose
from bench.modeling.models.facts import Facts
from bench.modeling.models.generation_models import extracts
from bench.store import paths, records
from bench.tasks.question_answering import QuestionAnswering
from bench.training.build import build as build_model
from bench.training.untrained import untrained

kind = QuestionAnswering()

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]
WORDS = sorted({word for text in TEXTS for word in text.split() if word.isalpha()})
LENGTH, STRIDE = 32, 8
spans = plugins.load("objectives", "spans")


def answers(context: str, start: int, stop: int) -> dict[str, list[Any]]:
    return {"text": [context[start:stop]], "answer_start": [start]}


NONE: dict[str, list[Any]] = {"text": [], "answer_start": []}


def encoded(folder: Path, inputs: Any, found: Any, length: int = LENGTH, stride: int = STRIDE) -> Windows:
    target = folder / f"encoded{len(list(folder.iterdir()))}"
    target.mkdir()
    context_windows.encode(folder, inputs, found, max_length=length, stride=stride, target=target)
    return context_windows.load(target)


@pytest.fixture(scope="module", params=["bert", "roberta", "gpt2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp(request.param)
    if request.param == "bert":
        tiny_bert("BertForMaskedLM", found)
    elif request.param == "roberta":
        tiny_roberta(found)
    else:
        tiny_causal("gpt2", found)
    return found


@settings(max_examples=40)
@given(st.data())
def test_a_gold_span_is_read_back_from_its_own_labels(folder: Path, data: st.DataObject) -> None:
    """Wherever it lies in a window; and it lies in one if it is no longer than what two windows share."""
    words = data.draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=60))
    gaps = data.draw(st.lists(st.sampled_from([" ", "  ", "\n"]), min_size=len(words), max_size=len(words)))
    context = "".join(word + gap for word, gap in zip(words, gaps, strict=True))
    starts = np.cumsum([0, *(len(w) + len(g) for w, g in zip(words, gaps, strict=True))])
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, min(first + 5, len(words) - 1)))
    start, stop = int(starts[first]), int(starts[last]) + len(words[last])
    question = " ".join(data.draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=20)))
    windows = encoded(folder, [("the", "a film"), (question, context)], [NONE, answers(context, start, stop)])
    own = windows.of(np.array([1]))
    assert windows.counts.tolist() == [1, len(own)]
    assert windows.labels[0].tolist() == [windows.nulls[0]] * 2
    assert np.diff(windows.tokens.offsets).max() <= LENGTH
    bare = tokenizer_for(folder)(context[start:stop], add_special_tokens=False)["input_ids"]
    whole = 0
    for window in own:
        places = windows.places(window)
        inside = places[places[:, 0] >= 0]
        assert len(inside)
        within = inside[0, 0] <= start and stop <= inside[-1, 1]
        label = windows.labels[window].tolist()
        if within:
            assert windows.text(context, window, *label) == context[start:stop]
        else:
            assert label == [windows.nulls[window]] * 2
        whole += within
    reached = [windows.places(w)[windows.places(w)[:, 0] >= 0] for w in own]
    covered = {at for places in reached for a, b in places for at in range(a, b)}
    assert covered >= {at for at, character in enumerate(context) if not character.isspace()}  # nothing is left out
    if len(bare) < STRIDE:
        assert whole


def test_windows_share_the_stride_and_questions_are_cut(tmp_path: Path) -> None:
    tiny_bert("BertForMaskedLM", tmp_path)
    context = " ".join(WORDS * 4)
    (windows,) = [encoded(tmp_path, [("film " * 50, context)], [NONE])]
    rows = [windows.places(w) for w in windows.of(np.array([0]))]
    assert len(rows) > 2
    assert all(len(row) == LENGTH for row in rows[:-1])
    assert all((row[:, 0] >= 0).sum() == LENGTH - 3 - LENGTH // 4 for row in rows[:-1])  # a quarter is the question
    for one, other in itertools.pairwise(rows):
        shared = {tuple(p) for p in one if p[0] >= 0} & {tuple(p) for p in other if p[0] >= 0}
        assert len(shared) == STRIDE
    assert windows.lengths.tolist() == [sum(map(len, rows))]


def test_characters_of_chinese_are_told_apart(tmp_path: Path) -> None:
    """A byte tokenizer has several tokens for one character, and each stands for all of it."""
    tiny_causal("gpt2", tmp_path)
    context = "黑豹队的防守只丢了 308分。"
    windows = encoded(tmp_path, [("多少?", context)], [answers(context, 10, 13)], length=64)
    assert windows.text(context, 0, *windows.labels[0]) == "308"
    windows = encoded(tmp_path, [("谁?", context)], [answers(context, 0, 3)], length=64)
    assert windows.text(context, 0, *windows.labels[0]) == "黑豹队"
    places = windows.places(0)
    for at in np.flatnonzero(places[:, 0] >= 0):
        assert windows.text(context, 0, at, at) in context


def test_a_model_that_takes_too_little_or_cannot_tell_places_says_so(tmp_path: Path) -> None:
    wordpiece(tmp_path)
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 5}')
    with pytest.raises(NotApplicable, match="takes 5 tokens"):
        encoded(tmp_path, [("the", "film")], [NONE])

    class Slow:
        is_fast = False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context_windows, "tokenizer_for", lambda folder: Slow())
        with pytest.raises(ModelError, match="no answer can be read from a context; it needs a fast one"):
            encoded(tmp_path, [("the", "film")], [NONE])


@given(st.integers(1, 3), st.integers(2, 9), st.integers(1, 5), st.integers(0, 99))
def test_the_best_span_is_that_of_a_plain_loop(count: int, length: int, longest: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(count, length, 2)).astype(np.float32)
    context = np.zeros((count, length), dtype=bool)
    for row in context:
        low = random.integers(0, length)
        row[low : random.integers(low, length) + 1] = True
    nulls = random.integers(0, length, count)
    found = best(*(torch.from_numpy(array) for array in (logits, context, nulls)), longest).numpy()
    for row in range(count):
        inside = np.flatnonzero(context[row]).tolist()
        pairs = [(i, j) for i in inside for j in inside if i <= j < i + longest]
        start, end = max(pairs, key=lambda pair: logits[row, pair[0], 0] + logits[row, pair[1], 1])
        assert found[row, 1:3].tolist() == [start, end]
        assert found[row, 0] == logits[row, start, 0] + logits[row, end, 1]
        assert found[row, 3] == logits[row, nulls[row]].sum()
    assert (
        best(torch.zeros(1, 3, 2), torch.zeros(1, 3, dtype=torch.bool), torch.zeros(1, dtype=torch.long), 2)[0, 0]
        == -torch.inf
    )


class Columns(dict[str, Any]):
    features: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("question", "found", "said"),
    [
        ("who", NONE, "row 0, column 'answers': no answer; set `unanswerable: true`"),
        ("who", {"text": ["joy"], "answer_start": [3]}, "'joy' does not stand at 3 of its context"),
        ("who", {"text": ["joy"], "answer_start": [-1]}, "does not stand at -1"),
        ("who", ["joy"], "expected {text"),
        ("who", {"text": ["joy"], "answer_start": []}, "expected {text"),
        (" ", answers("a joy", 2, 5), "row 0: column 'question' holds no text"),
    ],
)
def test_rows_that_do_not_fit_are_named(question: str, found: Any, said: str) -> None:
    columns = {role: role for role in kind.COLUMNS}
    data = Columns(question=[question], context=["a joy"], answers=[found])
    with pytest.raises(DataError, match=said):
        kind.examples(data, columns, kind.Parameters(), "here")


def test_where_an_answer_stands_is_not_asked_where_nothing_is_learnt() -> None:
    columns = {role: role for role in kind.COLUMNS}
    found = [{"text": ["joy"], "answer_start": [-1]}, {"text": ["joy", "a joy"], "answer_start": [2]}, {"text": ["a"]}]
    data = Columns(question=["who"] * 3, context=["a joy"] * 3, answers=found)
    tested = kind.test_examples(data, columns, kind.Parameters(), "here")
    assert [target["text"] for target in tested.targets or ()] == [["joy"], ["joy", "a joy"], ["a"]]
    with pytest.raises(DataError, match=r"here, row 0.*does not stand at -1.*; also here, 2 rows \(1, 2\).*expected"):
        kind.examples(data, columns, kind.Parameters(), "here")


def test_answers_that_are_null_are_none() -> None:
    columns = {role: role for role in kind.COLUMNS}
    null = {"text": None, "answer_start": None, "more": 1}
    data = Columns(question=["who", "who"], context=["a joy", "a joy"], answers=[null, answers("a joy", 2, 5)])
    found = kind.examples(data, columns, kind.Parameters(unanswerable=True), "here")
    assert found.targets == [NONE, answers("a joy", 2, 5)]
    assert found.labels.tolist() == [1, 0]


def test_a_template_holds_context_and_question() -> None:
    with pytest.raises(ValueError, match=r"must hold {context} once and {question} once"):
        kind.Parameters(template="{text}")


def rows(count: int, unanswerable: bool) -> list[dict[str, Any]]:
    """Contexts with one word that answers: the one after `the`; some have none."""
    found = []
    for number in range(count):
        around = [WORDS[(number * k) % len(WORDS)] for k in range(1, 13)]
        around = [word for word in around if word != "the"]
        words = [
            *around[: number % 10],
            "the",
            ("film", "plot", "joy")[number % 3],
            *around[number % 10 :],
            str(number),
        ]
        context = " ".join(words)
        start = context.index("the ") + 4
        own = answers(context, start, context.index(" ", start))
        if unanswerable and number % 4 == 3:
            context, own = context.replace("the ", "a "), NONE
        found.append({"question": "it has", "context": context, "answers": own})
    return found


def write(folder: Path, count: int = 80, unanswerable: bool = False) -> Path:
    lines = [json.dumps(row) + "\n" for row in rows(count, unanswerable)]
    (folder / "a.jsonl").write_text("".join(lines))
    return folder / "a.jsonl"


SUITE = """\
name: q
models: {bert: {folder: bert}, own: {folder: own}, gpt: {folder: gpt}, t5: {folder: t5}}
tasks:
  who:
    kind: question-answering
    data: {files: a.jsonl}
    splits: {test: 0.3}
    metrics: [token-f1, exact-match, exact-match-char, token-f1-char]
    unanswerable: true
    max_length: 16
    stride: 4
    template: "{context} {question}:"
    max_source: 40
    max_target: 8
    decoding: {max_new_tokens: 8}
regimes:
  zero-shot:
  few-shot: {k: 1}
  linear-probe:
  partial: {blocks: 1}
  lora: {r: 4}
  full: {learning_rate: 0.003}
  retrain:
sizes: [40]
label_noise: [0, 0.2]
seeds: 1
tuning: null
budget: {steps: 2}
training: {batch_size: 8, dropout: 0}
"""


def test_from_a_suite_to_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("bert", "own", "gpt", "t5"):
        Path(name).mkdir()
    tiny_bert("BertForMaskedLM", Path("bert"))
    tiny_bert("BertForQuestionAnswering", Path("own"))
    tiny_causal("gpt2", Path("gpt"))
    tiny_seq2seq("t5", Path("t5"))
    write(tmp_path, unanswerable=True)
    Path("q.yaml").write_text(SUITE)
    done = CliRunner().invoke(main, ["run", "q.yaml"])
    assert done.exit_code == 0, done.output
    read = records.read(Path("results/q")).records
    assert {r["status"] for r in read} == {"ok"}
    scored = {(r["trial"]["names"]["model"], r["trial"]["names"]["regime"]) for r in read}
    trained = {(m, r) for m in ("bert", "own", "gpt", "t5") for r in ("partial", "lora", "full", "retrain")}
    as_it_is = {("own", "zero-shot"), *((m, r) for m in ("gpt", "t5") for r in ("zero-shot", "few-shot"))}
    assert scored == trained | as_it_is
    methods = {r["trial"]["names"]["model"]: r["facts"]["method"] for r in read if "method" in r["facts"]}
    assert methods == {"own": "own-spans", "gpt": "written-spans", "t5": "written-spans"}
    asked = [r["facts"]["template"] for r in read if r["facts"].get("method") == "written-spans"]
    assert set(asked) == {"{context} {question}:"}
    for record in read:
        trial = record["trial"]
        table = parquet.read_table(paths.predictions(Path("results/q"), trial["id"], record["attempt"])).to_pydict()
        assert [""] in table["references"]
        for metric, value in record["scores"]["test"].items():
            module = plugins.load("metrics", metric)
            assert value == pytest.approx(module.score(table["references"], table["answer"]), abs=1e-6)
        assert set(record["scores"]["baselines"]["lead"]) == {
            "token-f1",
            "exact-match",
            "exact-match-char",
            "token-f1-char",
        }
    reasons = {(c.names.model, c.names.regime): c.reason for c in api.plan(api.load_suite("q.yaml")).cells if c.reason}
    assert "own-spans: it has no question-answering head over text" in str(reasons["bert", "zero-shot"])
    assert "written-spans: it has not learnt to write text" in str(reasons["bert", "zero-shot"])
    assert "own-spans: it takes no examples in a prompt" in str(reasons["own", "few-shot"])
    assert "not answered from one feature vector" in str(reasons["bert", "linear-probe"])
    assert reasons["bert", "full"] == "there is no label noise for this kind of task"
    assert CliRunner().invoke(main, ["report", "results"]).exit_code == 0
    assert "first sentences" in Path("results/q/report/report.md").read_text()


def qa_task(folder: Path, **own: Any) -> tuple[Any, Any]:
    """The task as a trial holds it, and where its data lies."""
    path = write(folder, unanswerable=own.get("unanswerable", False))
    location = {"files": {"train": str(path)}}
    data, parameters = (
        plugins.load("data_sources", "files"),
        kind.Parameters.model_validate(own).model_dump(mode="json"),
    )
    task = {
        "kind": "question-answering", "version": 1, "parameters": parameters,
        "data": {"source": "files", "version": data.VERSION, "parameters": {},
                 "fingerprint": data.lock(data.Parameters.model_validate(location))["fingerprint"]},
        "columns": {role: role for role in kind.COLUMNS}, "splits": {"train": "train", "test": 0.3},
    }  # fmt: skip
    return task, location


def context_for(folder: Path, build: Any, regime: str = "full", **own: Any) -> Context:
    (folder / "m").mkdir()
    build(folder / "m")
    task = qa_task(folder, **{"max_length": 16, "stride": 4, **own})
    trial = tiny_tasks.trial(folder / "m", task, regime)
    return tiny_tasks.context(trial, folder / "results")[0]


BUILD = {
    "bert": lambda folder: tiny_bert("BertForMaskedLM", folder),
    "qa": lambda folder: tiny_bert("BertForQuestionAnswering", folder),
    "llama": lambda folder: tiny_causal("llama", folder),
    "bart": lambda folder: tiny_seq2seq("bart", folder),
}


@pytest.mark.parametrize("family", ["bert", "llama", "bart"])
def test_the_batch_size_changes_no_answer(family: str, tmp_path: Path) -> None:
    here = context_for(tmp_path, BUILD[family], unanswerable=True, decoding={"max_new_tokens": 6}, max_target=8)
    model = build_model(here, pretrained=True).eval()
    found = []
    for size in (1, 3, 8):
        found.append(spans.answer(here.replace(evaluation_batch=size), model, here.parts["test"]).answers)
    assert found[0] == found[1] == found[2]
    assert len(set(found[0][0])) > 1
    assert spans.targets(here, here.parts["test"]).count([""]) > 0
    assert (here.features.encoded("test").counts.max() > 1) if family == "bert" else True


def test_the_loss_is_transformers_own(tmp_path: Path) -> None:
    """Over windows, as its `run_qa` trains; whatever they are padded to."""
    here = context_for(tmp_path, BUILD["qa"], unanswerable=True)
    own = transformers.BertForQuestionAnswering.from_pretrained(tmp_path / "m").eval()
    model = build_model(here, pretrained=True).eval()
    model.head.load_state_dict(own.qa_outputs.state_dict())
    part = here.parts["train"]
    goal, data = spans.goal(here, part), here.features.encoded("train")
    assert int(goal.weights.sum()) == len(data.of(part.indices)) > len(part.indices)
    with torch.inference_mode():
        expected = 0.0
        for window in data.of(part.indices):
            start, end = torch.from_numpy(data.labels[[window]].astype(np.int64)).unbind(-1)
            batch = data.tokens.batch(np.array([window]), CPU)
            expected += float(own(**batch, start_positions=start, end_positions=end).loss)
        assert float(goal.loss(model, np.arange(len(part.indices)))) == pytest.approx(expected, rel=1e-5)


def test_what_is_learnt_is_answered(tmp_path: Path) -> None:
    """Extraction finds the word after `the`, in whichever window, and says where there is none."""
    here = context_for(tmp_path, BUILD["bert"], unanswerable=True)
    model = build_model(here, pretrained=True)
    with torch.no_grad():
        for parameter in model.backbone.parameters():  # as drawn they are too large to learn from
            parameter.mul_(0.2 if parameter.ndim > 1 else 1.0)
    goal = spans.goal(here, here.parts["train"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    count = len(goal.weights)
    for _ in range(120):
        loss = goal.loss(model, np.arange(count)) / int(goal.weights.sum())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    train = here.parts["train"]
    found = spans.answer(here, model.eval(), train).answers
    targets = spans.targets(here, train)
    right = [answer in texts for texts, answer in zip(targets, found[0], strict=True)]
    assert np.mean(right) > 0.9, list(zip(targets, found[0], strict=True))
    assert "" in found[0]
    assert spans.doubt(targets, found) < 0.1  # type: ignore[arg-type]


def test_no_answer_is_given_only_where_the_task_has_such_questions(tmp_path: Path) -> None:
    here = context_for(tmp_path, BUILD["bert"])
    part = here.parts["test"]

    def sure_of_nothing(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        logits = torch.zeros(*batch["input_ids"].shape, 2)
        logits[:, 0] = 100
        return logits

    assert "" not in spans.answer(here, sure_of_nothing, part).answers[0]
    object.__setattr__(here.parameters, "unanswerable", True)
    assert set(spans.answer(here, sure_of_nothing, part).answers[0]) == {""}
    lost = spans.answer(here, lambda batch: torch.full((*batch["input_ids"].shape, 2), torch.nan), part).answers
    assert spans.lost(lost).all()
    assert not spans.lost([["a", ""]]).any()


def test_own_spans_are_the_model_s_own(tmp_path: Path) -> None:
    here = context_for(tmp_path, BUILD["qa"], regime="zero-shot", max_length=60)
    here.trial.regime["way"] = "own-spans"
    adapted = untrained(here, tiny_tasks.attempt(here.trial, tmp_path).ledger())
    assert (adapted.trainable, adapted.stored_bytes, adapted.backbone) == (0, 0, None)
    model = transformers.BertForQuestionAnswering.from_pretrained(tmp_path / "m").eval()
    tokenizer = tokenizer_for(tmp_path / "m")
    part = here.parts["test"]
    inputs = here.examples("test").inputs
    expected = []
    with torch.inference_mode():
        for row in part.indices:
            question, context = inputs[row]
            batch = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
            places = batch.pop("offset_mapping")[0].tolist()
            found = model(**batch)
            inside = [i for i, side in enumerate(batch.sequence_ids(0)) if side == 1]
            pairs = [(i, j) for i in inside for j in inside if i <= j < i + 30]
            i, j = max(pairs, key=lambda p: float(found.start_logits[0, p[0]] + found.end_logits[0, p[1]]))
            expected.append(context[places[i][0] : places[j][1]])
    assert adapted.predict(part).answers == [expected]
    assert len(set(expected)) > 3


def test_a_random_head_never_answers(tmp_path: Path) -> None:
    here = context_for(tmp_path, BUILD["bert"], regime="zero-shot")
    with pytest.raises(ModelError, match=r"qa_outputs.*random"):
        plugins.load("zeroshot", "own-spans").load(here)


def test_what_is_written_ends_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = context_for(tmp_path, BUILD["llama"], regime="zero-shot", max_target=8)
    written = Predictions([["joy \nQuestion: more", "", "a b"]])
    monkeypatch.setattr("bench.objectives.texts.Texts.answer", lambda *given: written)
    assert spans.answer(here, None, here.parts["test"]).answers == [["joy", "", "a b"]]


def test_prompts_hold_question_and_context_and_cut_the_context(tmp_path: Path) -> None:
    tiny_causal("gpt2", tmp_path)
    parameters = kind.Parameters(template="{question}? {context}\nit: ", max_source=24, max_target=8)
    target = tmp_path / "encoded"
    target.mkdir()
    inputs = [("it has {text} in it", "a good joy " * 30), ("dull", "the {question} end")]
    data = Columns(
        question=[q for q, _ in inputs], context=[c for _, c in inputs], answers=[answers("a good joy ", 2, 6), NONE]
    )
    parameters = parameters.model_copy(update={"unanswerable": True})
    found = kind.examples(data, {role: role for role in kind.COLUMNS}, parameters, "here")
    kind.encode(tmp_path, found, parameters, target)
    pairs, tokenizer = kind.load(target), tokenizer_for(tmp_path)
    sources = [
        tokenizer.decode(pairs.source[a:b])
        for a, b in zip(pairs.source_offsets, pairs.source_offsets[1:], strict=False)
    ]
    assert sources[0].startswith("it has {text} in it? a good")
    assert sources[0].endswith("\nit: ")
    assert pairs.source_lengths[0] <= 24
    assert sources[1] == "dull? the {question} end\nit: "
    assert pairs.weights[1] == 1  # no answer: the end alone


@pytest.mark.parametrize("template", [None, CHATML])
def test_shots_have_their_own_questions_and_are_cut_first(template: str | None, tmp_path: Path) -> None:
    folder = chat_model(tmp_path / "m", template=template)
    tokenizer = tokenizer_for(folder)
    asked = [("is {context} it", "the {question} end"), ("dull", "a good joy " * 60 + "end")]
    shots = [(("what", "the start"), "start"), (("who", "dull film " * 90), "")]

    def read(count: int) -> tuple[list[str], Any]:
        target = tmp_path / str(count)
        target.mkdir()
        parameters = kind.Parameters(max_source=300, max_target=40)
        found = Examples(asked, np.zeros(2, np.int64), [NONE] * 2, shots * count)
        kind.encode(folder, found, parameters, target)
        pairs = kind.load(target)
        offsets = itertools.pairwise(pairs.source_offsets)
        return [tokenizer.decode(pairs.source[a:b]) for a, b in offsets], pairs

    def filled(context: str, question: str) -> str:
        text = f"Context: {context}\nQuestion: {question}\nAnswer:"
        return f"{text}\n" if template is None else f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"

    end = "\n\n" if template is None else "<|im_end|>\n"
    sources, pairs = read(1)
    assert (pairs.source_lengths <= 360).all()
    kept = []
    for source, (question, context) in zip(sources, asked, strict=True):
        cut = source.partition("Question: who")[0].rpartition("Context: ")[2].removesuffix("\n")
        before = f"{filled('the start', 'what')}start{end}{filled(cut, 'who')}{end}"
        assert source == before + filled(context, question)
        kept.append(len(cut))
    assert 0 < kept[1] < kept[0] == len("dull film " * 90)
    with pytest.raises(NotApplicable, match="lower k"):
        read(50)


BERT = {"model_type": "bert", "vocab_size": 9}


@pytest.mark.parametrize(
    ("config", "way"),
    [
        ({**BERT, "architectures": ["BertForQuestionAnswering"]}, "own-spans"),
        ({**BERT, "model_type": "llama", "architectures": ["LlamaForQuestionAnswering"]}, "own-spans"),
        ({**BERT, "model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "written-spans"),
        (
            {**BERT, "model_type": "t5", "is_encoder_decoder": True, "architectures": ["T5ForConditionalGeneration"]},
            "written-spans",
        ),
        ({**BERT, "architectures": ["BertForMaskedLM"]}, None),
        ({**BERT, "model_type": "vilt", "image_size": 9, "architectures": ["ViltForQuestionAnswering"]}, None),
    ],
)
def test_what_a_model_is_says_how_it_answers(config: dict[str, Any], way: str | None) -> None:
    facts = Facts.from_files({"config.json": json.dumps(config)})
    assert choose(facts, tiny_tasks.question(objective="spans"))[0] == way
    assert extracts(facts) == (way != "written-spans")
    assert spans.applies(facts) is None


XQUAD = """\
name: x
models: {bert: {folder: bert}}
tasks:
  zh:
    kind: question-answering
    data: {hub: google/xquad, config: xquad.zh}
    splits: {train: validation, test: 0.03}
    metrics: [token-f1-char, exact-match-char, token-f1]
    max_length: 64
  en:
    kind: question-answering
    data: {hub: google/xquad, config: xquad.en}
    splits: {train: validation, test: 0.03}
    max_length: 64
regimes: {zero-shot: , full: {learning_rate: 0.001}}
sizes: [16]
seeds: 1
tuning: null
budget: {steps: 2}
training: {batch_size: 4}
"""


@pytest.mark.hub
def test_xquad(tmp_path: Path, hub_env: dict[str, str]) -> None:
    (tmp_path / "bert").mkdir()
    tiny_bert("BertForQuestionAnswering", tmp_path / "bert")
    (tmp_path / "x.yaml").write_text(XQUAD)
    done = subprocess.run(
        [sys.executable, "-c", "from bench.cli import main; main()", "run", "x.yaml"],
        env=hub_env | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read = records.read(tmp_path / "results/x").records
    assert [r["cause"] for r in read if r["status"] != "ok"] == []
    assert len(read) == 2 * 2
    for record in read:
        assert record["facts"]["test_examples"] > 20
        scores = record["scores"]["baselines"]["lead"]
        assert scores["token-f1-char" if record["trial"]["names"]["task"] == "zh" else "token-f1"] > 0.02
        place = paths.predictions(tmp_path / "results/x", record["trial"]["id"], record["attempt"])
        table = parquet.read_table(place).to_pydict()
        assert all(all(texts) for texts in table["references"])
