"""`bench init` for every kind of task: it is recognised by its columns, and what is written runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import yaml
from tiny_masks import scenes, write_scenes
from tiny_models import TEXTS, tiny_bert

from bench import api, plugins
from bench.errors import DataError
from bench.planning import lock as locks
from bench.planning.init import suite_for
from bench.suite.schema import Suite
from bench.trial.prepare import prepare

LONG = "the film was a joy from start to end and the plot of the film is long"


def _text(i: int) -> str:
    return f"{TEXTS[i % 4]} {['good', 'joy', 'dull', 'plot'][i // 2 % 4]} {i}"


def _span(i: int) -> dict[str, Any]:
    answer = "joy" if i % 2 else "long"
    return {"text": [answer], "answer_start": [LONG.index(answer)]}


ROWS: dict[str, tuple[dict[str, str], Any]] = {
    "text-classification": ({"text": "review", "label": "stars"}, lambda i: {"review": _text(i), "stars": i % 3}),
    "multi-label-classification": (
        {"text": "text", "labels": "tags"},
        lambda i: {"text": _text(i), "tags": [["joy", "dull"], ["joy"], []][i % 3], "n": i},
    ),
    "text-regression": (
        {"text": "sentence1", "text_pair": "sentence2", "value": "similarity"},
        lambda i: {"sentence1": _text(i), "sentence2": _text(i + 1), "similarity": i / 7},
    ),
    "token-classification": (
        {"tokens": "tokens", "tags": "ner_tags"},
        lambda i: {"id": str(i), "tokens": _text(i).split(), "ner_tags": ["B-x", *["O"] * (len(_text(i).split()) - 1)]},
    ),
    "question-answering": (
        {"question": "question", "context": "context", "answers": "answers"},
        lambda i: {"id": f"a{i}", "title": "x", "context": LONG, "question": f"what is {i}", "answers": _span(i)},
    ),
    "multiple-choice": (
        {"context": "question", "choices": "choices", "label": "answer"},
        lambda i: {"question": _text(i), "choices": ["joy", "dull", "plot"], "answer": i % 3},
    ),
    "language-modeling": ({"text": "text"}, lambda i: {"text": f"{LONG} {_text(i)}", "url": i}),
    "translation": (
        {"source": "translation.en", "target": "translation.de"},
        lambda i: {"translation": {"en": _text(i), "de": _text(i + 1)}},
    ),
    "summarization": (
        {"document": "article", "summary": "highlights"},
        lambda i: {"article": f"{LONG} {_text(i)}", "highlights": _text(i), "id": i},
    ),
    "text-generation": (
        {"prompt": "instruction", "answer": "output"},
        lambda i: {"instruction": _text(i), "output": f"a joy {i}"},
    ),
}
"""Of each kind of text task: the columns that are to be found, and a row."""
SEVERAL: dict[str, Any] = {
    "multi-label-classification": (
        {"text": "comment", "labels": "toxic, threat, insult"},
        lambda i: {"id": i, "comment": _text(i), "toxic": i % 2, "threat": i // 2 % 2, "insult": i // 4 % 2},
    ),
    "multiple-choice": (
        {"context": "ctx", "choices": "ending0, ending1", "label": "label"},
        lambda i: {"ctx": _text(i), "ending0": f"joy {i}", "ending1": f"dull {i}", "label": i % 2},
    ),
    "text-generation": (
        {"messages": "messages"},
        lambda i: {"messages": [{"role": "user", "content": _text(i)}, {"role": "assistant", "content": "a joy"}]},
    ),
    "text-classification": (
        {"text": "premise", "text_pair": "hypothesis", "label": "label"},
        lambda i: {"premise": _text(i), "hypothesis": _text(i + 1), "label": ["no", "yes"][i % 2], "score": i / 3},
    ),
    "text-regression": ({"text": "text", "value": "rating"}, lambda i: {"text": _text(i), "rating": i % 37}),
    "token-classification": (
        {"tokens": "words", "tags": "pos"},
        lambda i: {"words": _text(i).split(), "pos": [n % 3 for n, _ in enumerate(_text(i).split())]},
    ),
    "summarization": (
        {"document": "text", "summary": "summary"},
        lambda i: {"text": LONG + _text(i), "summary": _text(i)},
    ),
    "translation": ({"source": "source", "target": "target"}, lambda i: {"source": _text(i), "target": _text(i + 3)}),
}
"""Other columns of the same kinds."""
MODELS = {
    "translation": "seq2seq",
    "summarization": "seq2seq",
    "language-modeling": "causal",
    "text-generation": "causal",
}


def write(path: Path, row: Any, count: int = 80) -> Path:
    path.write_text("".join(json.dumps(row(i)) + "\n" for i in range(count)))
    return path


def loaded(folder: Path, text: str) -> Suite:
    (folder / "s.yaml").write_text(text)
    return api.load_suite(folder / "s.yaml")


def test_every_kind_that_can_be_recognised_is_tried() -> None:
    known = set(plugins.names("tasks"))
    assert known == {*ROWS, "image-classification", "semantic-segmentation"}


def test_masks_are_told_from_images(tmp_path: Path) -> None:
    source = write_scenes(tmp_path / "scenes.parquet", scenes(20, 0))
    (task,) = loaded(tmp_path, suite_for(str(source))).tasks.values()
    assert (task.kind, task.columns) == ("semantic-segmentation", {"image": "image", "mask": "mask"})


@pytest.mark.parametrize(("kind", "found"), [*ROWS.items(), *SEVERAL.items()])
def test_a_kind_is_told_by_its_columns(kind: str, found: Any, tmp_path: Path) -> None:
    columns, row = found
    source = str(write(tmp_path / "d.jsonl", row))
    suite = loaded(tmp_path, suite_for(source))
    (task,) = suite.tasks.values()
    assert (task.kind, task.columns) == (kind, columns)
    guessed = [line for line in suite_for(source).splitlines() if "it could also be" not in line]
    assert suite_for(source, kind=kind).splitlines() == guessed
    (model,) = suite.models.values()
    assert model.source == "hub"


@pytest.mark.parametrize("kind", [*ROWS, "image-classification", "columns"])
def test_what_is_written_locks(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    suite = loaded(tmp_path, _written(kind, tmp_path))
    (task,) = suite.tasks.values()
    assert task.splits == {"train": "train", "test": 0.2 if kind == "image-classification" else "test"}
    nothing: dict[str, Any] = {"models": {}, "tasks": {}, "regimes": {}}
    (order,) = (order for section, _, _, order in locks.orders(suite, nothing) if section == "tasks")
    entry = prepare(json.loads(json.dumps(order)))
    assert sum(entry["classes"]["test"]) == 20 or kind == "image-classification"


def _written(kind: str, folder: Path, *models: str) -> str:
    """The suite for a kind's data, with a file to test on where it is of rows."""
    if kind == "image-classification":
        return suite_for(str(_images(folder / "pets")), models=models)
    _, row = SEVERAL["multi-label-classification"] if kind == "columns" else ROWS[kind]
    source, test = folder / f"{kind}.jsonl", folder / "test.jsonl"
    return suite_for(str(write(source, row)), str(write(test, lambda i: row(i + 80), 20)), models=models)


def test_what_is_written_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several kinds at once, each with a tiny model, by one regime: a run takes longer to start than that."""
    monkeypatch.chdir(tmp_path)
    tiny_bert("BertForMaskedLM", tmp_path / "bert")
    models = {"columns": "bert", "question-answering": "bert"}
    whole: dict[str, Any] = {"name": "all", "models": {}, "tasks": {}, "regimes": {"lora": {"r": 2}}, "sizes": [64]}
    for kind, model in models.items():
        (tmp_path / kind).mkdir()
        own = yaml.safe_load(_written(kind, tmp_path / kind, str(tmp_path / model)))
        whole["models"] |= own["models"]
        ((_, task),) = own["tasks"].items()
        whole["tasks"][kind] = {**task, "models": list(own["models"])}
    suite = loaded(tmp_path, json.dumps(whole))
    outcome = api.run(suite, smoke=True, devices=["cpu"], say=lambda text: None)
    assert outcome.statuses == {"ok": len(models)}


def _images(folder: Path) -> Path:
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for i in range(40):
            PIL.Image.new("RGB", (8, 8), (i, 9, 9)).save(folder / name / f"{i}.png")
    return folder


def test_what_else_it_could_be_is_said(tmp_path: Path) -> None:
    text = suite_for(str(write(tmp_path / "d.jsonl", SEVERAL["translation"][1])))
    assert re.search("kind: translation +# 'source' and 'target' are called so", text)
    assert (
        "# it could also be text-generation ({prompt: source, answer: target}): bench init … --kind text-generation"
        in text
    )
    text = suite_for(str(tmp_path / "d.jsonl"), kind="text-generation", text="target", label="source")
    assert "columns: {prompt: target, answer: source}" in text


def test_whole_numbers_with_a_point_are_classes_and_fractions_are_none(tmp_path: Path) -> None:
    source = str(write(tmp_path / "d.jsonl", lambda i: {"text": _text(i), "label": float(i % 2)}))
    (task,) = loaded(tmp_path, suite_for(source)).tasks.values()
    assert task.parameters.labels == {"0": "0", "1": "1"}  # type: ignore[attr-defined]
    write(tmp_path / "d.jsonl", lambda i: {"text": _text(i), "label": i % 5 / 4})
    (task,) = loaded(tmp_path, suite_for(source)).tasks.values()
    assert task.kind == "text-regression"


def test_a_small_test_file_without_labels_is_refused_by_name(tmp_path: Path) -> None:
    row = ROWS["text-classification"][1]
    source = str(write(tmp_path / "d.jsonl", row))
    hidden = str(write(tmp_path / "t.jsonl", lambda i: {**row(i), "stars": -1}, 10))
    with pytest.raises(DataError, match=r"t\.jsonl: column 'stars' holds '-1', no label"):
        suite_for(source, hidden)


def test_other_scripts_have_other_models_and_metrics(tmp_path: Path) -> None:
    text = suite_for(str(write(tmp_path / "d.jsonl", lambda i: {"text": f"这部电影很好看{i}", "label": i % 2})))
    assert "paraphrase-multilingual-MiniLM-L12-v2" in text
    row = {"context": "这部电影很好看", "answers": {"text": ["电影"], "answer_start": [2]}}
    text = suite_for(str(write(tmp_path / "d.jsonl", lambda i: {**row, "question": f"什么{i}"})))
    assert "metrics: [token-f1-char, exact-match-char]" in text
    assert "distilbert-base-multilingual-cased" in text
