"""The pages for users: their suites load, their tables hold every key with its default, their links lead somewhere.

A fence ```yaml holds a whole suite, ```yaml part some of a suite's keys, ```yaml task the keys of one task.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from bench import api, plugins
from bench.suite.parameters import ModelParameters
from bench.suite.schema import SuiteKeys, TaskKeys
from bench.suite.yaml import read

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
REFERENCE = ROOT / "docs" / "suite-reference.md"
TASK = {"kind": "text-classification", "data": "{builtin: python-docs}"}
SUITE = {
    "name": "example",
    "models": "{bert: google-bert/bert-base-uncased}",
    "tasks": "{docs: {kind: text-classification, data: {builtin: python-docs}}}",
    "regimes": "{zero-shot: null}",
    "sizes": "[64]",
}
"""What is put around a part of a suite: one line a key."""
FENCE = re.compile(r"^```yaml *(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
TABLE = re.compile(r"^\| key \| type \| default \| meaning \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", re.MULTILINE)

EXAMPLES = [
    pytest.param(found[1], found[2], id=f"{page.stem}-{number}")
    for page in PAGES
    for number, found in enumerate(FENCE.finditer(page.read_text()), start=1)
]


def completed(text: str, rest: dict[str, str], folder: Path) -> str:
    """The keys that the text says, and the rest."""
    file = folder / "part.yaml"
    file.write_text(text)
    said = read(file)[1].value
    return text + "".join(f"{key}: {value}\n" for key, value in rest.items() if key not in said)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_loads(kind: str, text: str, tmp_path: Path) -> None:
    assert kind in ("", "part", "task")
    if kind == "task":
        text = "tasks:\n  example:\n" + textwrap.indent(completed(text, TASK, tmp_path), "    ")
    if kind:
        text = completed(text, SUITE, tmp_path)
    file = tmp_path / "suite.yaml"
    file.write_text(text)
    api.load_suite(file)


def test_every_page_of_a_suite_has_examples() -> None:
    assert {str(one.id).rsplit("-", 1)[0] for one in EXAMPLES} >= {
        "README", "quickstart", "tasks", "regimes", "models", "suite-reference",
    }  # fmt: skip


Fields = dict[str, list[Any]]
"""{key: its default in each schema that has it}."""


def fields(schemas: Iterable[type[BaseModel]], but: Iterable[str] = ()) -> Fields:
    found: Fields = {}
    for schema in schemas:
        for key, field in schema.model_fields.items():
            if key not in but:
                default = "required" if field.is_required() else field.get_default(call_default_factory=True)
                found.setdefault(key, []).append(default)
    return found


def inner(schema: type[BaseModel], key: str) -> list[type[BaseModel]]:
    """The schemas that a field's value may have."""

    def models(annotation: Any) -> list[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return [annotation]
        return [model for part in get_args(annotation) for model in models(part)]

    return models(schema.model_fields[key].annotation)


def tables() -> dict[str, Fields]:
    """What the tables of the reference must hold, in their order."""
    every = api.schemas()
    tasks, regimes, models = every.tasks, every.regimes, every.models
    common, own, trained = ["metrics", "input_noise"], ModelParameters.model_fields, regimes["full"].model_fields
    labelled = [
        "text-classification", "image-classification", "multi-label-classification", "text-regression",
        "token-classification", "multiple-choice",
    ]  # fmt: skip
    generated = [tasks[kind] for kind in ("translation", "summarization", "text-generation")]
    found = {
        "A suite": fields([SuiteKeys]),
        **{key: fields(inner(SuiteKeys, key)) for key in ("tuning", "budget", "reported", "training")},
        "Every kind": fields([TaskKeys]) | {"metrics": [()]},
        **{key: fields(inner(TaskKeys, key)) for key in ("splits", "also_test")},
        "Classes": fields([tasks[kind] for kind in labelled], common),
        "Masks": fields([tasks["semantic-segmentation"]], common),
        "Generation": fields(generated, common),
        "decoding": fields(inner(generated[0], "decoding")),
        "Question answering": fields([tasks["question-answering"]], common),
        "Language modeling": fields([tasks["language-modeling"]], common),
        **{f"data {name}": fields([every.data[name]]) for name in ("hub", "files", "folder", "builtin")},
        "zero-shot": fields([regimes["zero-shot"]]),
        "few-shot": fields([regimes["few-shot"]], regimes["zero-shot"].model_fields),
        "linear-probe": fields([regimes["linear-probe"]]),
        "full": fields([regimes["full"], regimes["retrain"]]),
        **{name: fields([regimes[name]], trained) for name in ("partial", "lora", "continued-pretraining")},
        "A model": fields([ModelParameters]),
        **{f"model {name}": fields([models[name]], own) for name in ("hub", "folder")},
        "model python": fields([models["python"]], own),
        "input": fields(inner(models["python"], "input")),
        "model torchvision": fields([models["torchvision"]], own),
        "random": fields(inner(models["random"], "random")),
        "pretrain": fields(inner(models["pretrain"], "pretrain")),
        "endpoint": fields([models["endpoint"]], own),
        "price": fields(inner(models["endpoint"], "price")),
    }
    assert {*tasks} == {*labelled, "translation", "summarization", "text-generation", "question-answering",
                        "language-modeling", "semantic-segmentation"}  # fmt: skip
    return found


@pytest.mark.parametrize("number", range(len(tables())), ids=[*tables()])
def test_the_reference_has_every_key_and_its_default(number: int, tmp_path: Path) -> None:
    written = [found[1].splitlines() for found in TABLE.finditer(REFERENCE.read_text())]
    assert len(written) == len(tables())
    wanted = [*tables().values()][number]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in written[number]]
    assert sorted(row[0].strip("`") for row in rows) == sorted(wanted)
    for key, _, default, _ in rows:
        for value in wanted[key.strip("`")]:
            assert means(default.strip("`"), value, tmp_path), (key, default, value)


def means(text: str, value: Any, folder: Path) -> bool:
    """Whether a cell says this default."""
    if isinstance(value, str):
        return text.strip('"').replace("\\n", "\n") == value
    file = folder / "cell.yaml"
    file.write_text(f"value: {text}\n")
    said = read(file)[1].value["value"]
    if isinstance(value, BaseModel):
        return type(value).model_validate(said) == value
    return bool(said == (list(value) if isinstance(value, tuple) else value))


@pytest.mark.parametrize("folder", plugins.FOLDERS)
def test_every_plugin_is_named(folder: str) -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    assert [name for name in plugins.names(folder) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for target in LINK.findall(page.read_text()):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(target)
    assert lost == []


def anchors(page: Path) -> set[str]:
    """A page's headings as GitHub names them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
