"""Tags for words: alignment of words and tokens, and a suite from its data to its scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pyarrow import parquet
from seqeval.metrics import f1_score
from tiny_models import tiny_bert, tiny_causal
from tiny_tasks import question

from bench.cli import main
from bench.errors import DataError
from bench.modeling.encoding import words as encoded_words
from bench.modeling.encoding.arrays import IGNORE_INDEX
from bench.modeling.encoding.text import tokenizer_for
from bench.modeling.inference.choose_way import choose
from bench.modeling.models.facts import Facts
from bench.store import paths, records
from bench.tasks.token_classification import TokenClassification

kind = TokenClassification()

CPU = torch.device("cpu")
TAGS = ("O", "B-film", "I-film", "B-end")
SENTENCES = [["the", "film", "unbelievable", "end"], ["a", "joy"], ["not", "good", "at", "all", "dull"]]


@pytest.mark.parametrize("family", ["bert", "gpt2"])
@pytest.mark.parametrize("length", [64, 4])
def test_every_words_tag_stands_at_its_first_token(family: str, length: int, tmp_path: Path) -> None:
    if family == "bert":
        tiny_bert("BertForMaskedLM", tmp_path)
    else:
        tiny_causal("gpt2", tmp_path)
    target = tmp_path / "encoded"
    target.mkdir()
    encoded_words.encode(tmp_path, SENTENCES, length, target)
    words = encoded_words.load(target)
    tokenizer = tokenizer_for(tmp_path)
    for row, sentence in enumerate(SENTENCES):
        begins = np.flatnonzero(words.row(row) >= 0)
        reached = words.row(row)[begins].tolist()
        assert reached == list(range(len(reached)))
        assert length == 4 or len(reached) == len(sentence)
        ids = words.tokens.ids[words.tokens.offsets[row] : words.tokens.offsets[row + 1]]
        assert len(ids) <= length
        for number, at in zip(reached, begins, strict=True):
            end = begins[number + 1] if number + 1 < len(begins) else len(ids)
            if number + 1 < len(begins):
                assert tokenizer.decode(ids[at:end]).replace(" ", "").replace("##", "") == sentence[number]
    tags = [np.arange(len(sentence)) % 4 for sentence in SENTENCES]
    wanted = words.targets(np.array([0, 2]), [tags[0], tags[2]], CPU)
    assert wanted.shape[1] == words.lengths[[0, 2]].max()
    assert (wanted[0][wanted[0] != IGNORE_INDEX].numpy() == tags[0][: (words.row(0) >= 0).sum()]).all()


class Columns(dict[str, Any]):
    features: dict[str, Any] = {"tokens": None, "tags": None}


def test_subsets_hold_the_rarest_entities() -> None:
    data = Columns(tokens=[["a"], ["a", "b", "c"], ["a"]], tags=[["O"], ["B-film", "I-film", "B-end"], ["B-film"]])
    found = kind.examples(data, {"tokens": "tokens", "tags": "tags"}, kind.Parameters(labels=TAGS), "here")
    assert found.labels.tolist() == [0, 1, 2]  # `end` is rarer than `film`, and sorted before it


@pytest.mark.parametrize(
    ("tokens", "tags", "said"),
    [
        ([["a", "b"]], [["O"]], "here, row 0: 2 words and 1 tags"),
        ([["a"]], [["B-x"]], "here, row 0: tag 'B-x' is not among labels; known: O, B-film, I-film, B-end"),
        ([["a"]], [[7]], "tag 7 is not among labels"),
        ([["a", None], ["b"]], [["O", "O"], ["O"]], "here, row 0, column 'tokens': word None is no text"),
        ([["a"], None], [[None], None], "row 0: tag None is not among labels.*also here, row 1: 0 words and 0 tags"),
    ],
)
def test_tags_that_do_not_fit_are_named(tokens: Any, tags: Any, said: str) -> None:
    columns = {"tokens": "tokens", "tags": "tags"}
    with pytest.raises(DataError, match=said):
        kind.examples(Columns(tokens=tokens, tags=tags), columns, kind.Parameters(labels=TAGS), "here")


SUITE = """\
name: n
models: {bert: {folder: bert}, gpt: {folder: gpt}}
tasks:
  ner: {kind: token-classification, data: {files: a.jsonl}, splits: {test: 0.3}, max_length: 24}
regimes:
  zero-shot:
  linear-probe:
  partial: {blocks: 1}
  lora: {r: 4}
  full: {learning_rate: 0.01}
  retrain:
sizes: [60]
label_noise: [0, 0.2]
seeds: 1
tuning: null
budget: {steps: 150}
training: {batch_size: 8, dropout: 0}
"""


def test_tags_stand_in_the_order_of_their_numbers() -> None:
    tags = datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER", "b-per"]))
    words = datasets.Sequence(datasets.Value("string"))
    found = datasets.Dataset.from_dict(
        {"tokens": [["Anna", "laughs"]], "tags": [[1, 0]]}, datasets.Features({"tokens": words, "tags": tags})
    )
    columns = {"tokens": "tokens", "tags": "tags"}
    kind.examples(found, columns, kind.Parameters(labels=("O", "B-PER", "b-per")), "here")
    kind.examples(found, columns, kind.Parameters(labels=("O", "B-LOC", "I-LOC")), "here")
    with pytest.raises(DataError, match=r"labels\[0\] is 'B-PER', which the data calls class 1"):
        kind.examples(found, columns, kind.Parameters(labels=("B-PER", "O", "x")), "here")


def test_from_a_suite_to_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("bert", "gpt"):
        Path(name).mkdir()
    tiny_bert("BertForMaskedLM", Path("bert"))
    tiny_causal("gpt2", Path("gpt"))
    random = np.random.default_rng(0)
    words = {"the": "O", "a": "O", "dull": "O", "film": "B-film", "end": "B-end", "joy": "O"}
    with Path("a.jsonl").open("w") as file:
        for number in range(100):
            row = [*random.choice(list(words), 5), str(number)]
            file.write(json.dumps({"tokens": row, "tags": [words.get(word, "O") for word in row]}) + "\n")
    Path("n.yaml").write_text(SUITE)
    done = CliRunner().invoke(main, ["run", "n.yaml"])
    assert done.exit_code == 0, done.output
    read = records.read(Path("results/n")).records
    assert {r["status"] for r in read} == {"ok"}
    scored = {(r["trial"]["names"]["model"], r["trial"]["names"]["regime"]) for r in read}
    assert scored == {(model, regime) for model in ("bert", "gpt") for regime in ("partial", "lora", "full", "retrain")}
    for record in read:
        trial = record["trial"]
        place = paths.predictions(Path("results/n"), trial["id"], record["attempt"])
        table = parquet.read_table(place).to_pydict()
        assert record["scores"]["test"]["entity-f1"] == pytest.approx(
            f1_score(table["tags"], table["answer"]), abs=1e-6
        )
        assert record["scores"]["baselines"]["majority"]["entity-f1"] == 0
        assert "seqeval" in record["scores"]["signatures"]["entity-f1"]
        if trial["names"] == {"model": "bert", "task": "ner", "regime": "full"}:
            assert record["scores"]["test"]["entity-f1"] > 0.9
    planned = CliRunner().invoke(main, ["plan", "n.yaml"]).output
    assert "there is no label noise for this kind of task" in planned
    assert "token-classification is not answered from one feature vector an example" in planned
    assert CliRunner().invoke(main, ["report", "results"]).exit_code == 0
    assert "entity" in Path("results/n/report/report.md").read_text()


def own_head(folder: Path, names: list[str]) -> Any:
    folder.mkdir()
    model, tokenizer = tiny_bert("BertForTokenClassification", folder, id2label=dict(enumerate(names)))
    return model, tokenizer


@pytest.mark.parametrize(
    ("names", "label_map", "reason"),
    [
        (["O", "b-FILM", "I-film", "B-MISC"], {}, None),
        (["LABEL_0", "LABEL_1"], {"label_1": "B-end"}, None),
        (["LABEL_0", "LABEL_1"], {}, "LABEL_0, LABEL_1 do not fit the task's; give the task a label_map"),
        (["O", "B-MISC"], {}, "O, B-MISC do not fit"),
    ],
)
def test_own_tags_apply_where_a_tag_fits(
    names: list[str], label_map: dict[str, str], reason: str | None, tmp_path: Path
) -> None:
    own_head(tmp_path / "m", names)
    facts = Facts.from_files({"config.json": (tmp_path / "m/config.json").read_text()})
    way, why = choose(facts, question(TAGS, "tags", label_map=label_map))
    assert way == (None if reason else "own-tags")
    assert reason is None or reason in str(why)
    bare = Facts.from_files({"config.json": '{"model_type": "bert", "architectures": ["BertModel"]}'})
    assert "it has no token-classification head" in str(choose(bare, question(TAGS, "tags"))[1])


OWN = """\
name: o
models: {own: {folder: own}, bare: {folder: bare}}
tasks:
  ner:
    kind: token-classification
    data: {files: a.jsonl}
    splits: {test: 0.5}
    labels: [O, B-film, I-film, B-end]
    label_map: {B-ENDING: B-end}
    max_length: 24
regimes: {zero-shot: }
sizes: [20]
tuning: null
"""


def test_own_tags_are_the_model_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    names = ["B-Film", "o", "B-ending", "B-MISC", "B-LOC"]
    model, tokenizer = own_head(tmp_path / "own", names)
    Path("bare").mkdir()
    tiny_bert("BertForMaskedLM", Path("bare"))
    rows = [[*sentence[i:], str(i)] for sentence in SENTENCES for i in range(len(sentence))]
    lines = [json.dumps({"tokens": row, "tags": ["O"] * (len(row) - 1) + ["B-end"]}) + "\n" for row in rows]
    Path("a.jsonl").write_text("".join(lines))
    Path("o.yaml").write_text(OWN)
    done = CliRunner().invoke(main, ["run", "o.yaml"])
    assert done.exit_code == 0, done.output
    (record,) = records.read(Path("results/o")).records
    assert (record["status"], record["facts"]["method"]) == ("ok", "own-tags")
    assert record["facts"]["label_map"] == {"B-Film": "B-film", "o": "O", "B-ending": "B-end"}
    assert "the model's tags B-MISC, B-LOC fit none of the task's and count as O" in record["facts"]["notes"]
    place = paths.predictions(Path("results/o"), record["trial"]["id"], record["attempt"])
    table = parquet.read_table(place).to_pydict()
    meaning = {"B-Film": "B-film", "o": "O", "B-ending": "B-end", "B-MISC": "O", "B-LOC": "O"}
    answers = {}
    for row in rows:
        batch = tokenizer(row, is_split_into_words=True, return_tensors="pt")
        with torch.inference_mode():
            chosen = model(**batch).logits[0].argmax(-1).tolist()
        ids = batch.word_ids(0)
        answers[len(row), row[-1]] = [meaning[names[chosen[ids.index(word)]]] for word in range(len(row))]
    assert table["answer"]
    assert all(answer in answers.values() for answer in table["answer"])
    assert len({tag for answer in table["answer"] for tag in answer}) > 1
    planned = CliRunner().invoke(main, ["plan", "o.yaml"]).output
    assert "it has no token-classification head" in planned
