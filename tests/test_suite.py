"""The suite loader: YAML 1.2 scalars, every problem at once with its line, and nothing raised but SuiteError."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from bench.errors import SuiteError
from bench.suite.load import grid_size, load
from bench.suite.parameters import ModelParameters, RegimeParameters, Strict, TaskParameters, TrainedParameters
from bench.suite.schema import Schemas, Suite
from bench.suite.yaml import read, scalar


class Hub(ModelParameters):
    hub: str
    revision: str = "main"


class Folder(ModelParameters):
    folder: pathlib.Path


class Files(Strict):
    files: dict[str, pathlib.Path]


class Builtin(Strict):
    builtin: str


class Text(TaskParameters):
    labels: tuple[str, ...] = ()
    max_length: int = Field(default=128, ge=4)


class Lora(TrainedParameters):
    r: int = Field(default=8, ge=1)


SCHEMAS = Schemas(
    models={"hub": Hub, "folder": Folder},
    tasks={"text-classification": Text},
    regimes={"zero-shot": RegimeParameters, "lora": Lora, "full": TrainedParameters},
    data={"hub": Hub, "folder": Folder, "files": Files, "builtin": Builtin},
    gives={"text-classification": "classes"},
    metrics={"accuracy": "classes", "macro-f1": "classes", "bleu": "texts"},
)

VALID = """\
name: nlp
models:
  minilm: sentence-transformers/all-MiniLM-L6-v2
tasks:
  sst2:
    kind: text-classification
    data: {hub: stanfordnlp/sst2}
    columns: {text: sentence, label: label}
    splits: {train: train, test: 0.2}
    labels: [negative, positive, no, on]
    metrics: [macro-f1]
regimes:
  zero-shot:
  lora: {r: 16, learning_rate: [1e-4, 1e-2]}
  lora-r64: {regime: lora, r: 64}
sizes: [64, 256, all]
label_noise: [0, 0.2]
seeds: 5
"""


@pytest.fixture
def suite(tmp_path: pathlib.Path) -> Any:
    file = tmp_path / "s.yaml"

    def build(text: str | bytes) -> Suite:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(file, SCHEMAS)

    return build


def problems(suite: Any, text: str | bytes) -> list[str]:
    """Each problem as `line: path: what is wrong`."""
    with pytest.raises(SuiteError) as caught:
        suite(text)
    return [problem.partition("s.yaml:")[2] for problem in caught.value.problems]


def swap(old: str, new: str) -> str:
    assert VALID.count(old) == 1, old
    return VALID.replace(old, new)


def test_a_valid_suite_is_read_whole(suite: Any) -> None:
    read = suite(VALID)
    task = read.tasks["sst2"]
    assert read.name == "nlp"
    assert read.text == VALID
    assert read.models["minilm"].source == "hub"
    assert task.parameters == Text(labels=("negative", "positive", "no", "on"), metrics=("macro-f1",))
    assert task.splits == {"train": "train", "test": 0.2}
    assert task.columns == {"text": "sentence", "label": "label"}
    assert (task.sizes, task.label_noise, read.seeds) == ((64, 256, "all"), (0.0, 0.2), (0, 1, 2, 3, 4))
    assert {name: regime.kind for name, regime in read.regimes.items()} == {
        "zero-shot": "zero-shot",
        "lora": "lora",
        "lora-r64": "lora",
    }
    assert read.regimes["lora"].parameters == Lora(r=16, learning_rate=(1e-4, 1e-2))
    assert (read.tuning_trials, read.tuning_select, read.budget.unit, read.validation) == (3, "seed", "epochs", 0.2)
    assert grid_size(read) == 1 * 3 * (3 * 2) * (5 * 3)
    assert read.checkpoint == 300
    assert [suite(VALID + f"checkpoint: {said}\n").checkpoint for said in ("12.5", "null")] == [12.5, None]


def test_a_task_overrides_the_axes(suite: Any) -> None:
    text = swap("sizes: [64, 256, all]\n", "").replace(
        "    metrics:", "    sizes: [8]\n    label_noise: [0]\n    metrics:"
    )
    task = suite(text + "tuning: null\nvalidation: full\n").tasks["sst2"]
    assert (task.sizes, task.label_noise) == ((8,), (0.0,))


def test_a_task_names_what_it_is_run_with(suite: Any) -> None:
    second = "  b: {kind: text-classification, data: {hub: x/y}, models: [other], regimes: [lora-r64, lora]}\n"
    read = suite(swap("tasks:\n", "  other: x/z\ntasks:\n" + second))
    assert (read.tasks["b"].models, read.tasks["b"].regimes) == (("other",), ("lora", "lora-r64"))
    assert (read.tasks["sst2"].models, read.tasks["sst2"].regimes) == (tuple(read.models), tuple(read.regimes))
    assert grid_size(read) == (2 * 3 + 1 * 2) * (3 * 2) * (5 * 3)


def test_tasks_that_share_no_trial_may_say_the_same(suite: Any) -> None:
    again = "  b: {kind: text-classification, data: {hub: x/y}, regimes: [%s]}\n"
    text = swap("tasks:\n", "tasks:\n  a: {kind: text-classification, data: {hub: x/y}, regimes: [lora]}\n" + again)
    assert set(suite(text % "zero-shot").tasks) == {"a", "b", "sst2"}
    assert problems(suite, text % "lora, zero-shot") == [
        "6: tasks.b: says the same as 'a': they would be the same trials"
    ]


def test_paths_are_relative_to_the_suite(suite: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine").mkdir()
    text = swap("  minilm: s", "  a: mine\n  b: ./absent\n  c: ~/d\n  d: {folder: /e}\n  minilm: s")
    read = suite(text.replace("{hub: stanfordnlp/sst2}", "{files: {train: a.csv}}"))
    folders = [str(read.models[name].parameters.folder) for name in "abcd"]
    assert folders == [str(tmp_path / "mine"), str(tmp_path / "absent"), str(pathlib.Path.home() / "d"), "/e"]
    assert read.tasks["sst2"].data.parameters == Files(files={"train": tmp_path / "a.csv"})


TEN = """\
name: My Suite
models:
  minilm: {hubb: x}
  minilm: y
tasks:
  sst2:
    kind: text-clasification
    data: {hub: z, revison: main}
  sst3:
    kind: text-classification
    data: {builtin: d}
    metrics: [acuracy]
    max_length: "3"
regimes:
  lora: {learning_rate: [1e-2, 1e-4]}
  full: &f {epochs: 1, steps: 2}
sizes: [64, 32]
label_nois: [0]
seeds: true
budget: {epochs: abc}
"""


def test_every_mistake_is_reported_with_its_line(suite: Any) -> None:
    expected = [
        "1: name: must match ^[a-z0-9][a-z0-9._-]{0,63}$, found 'My Suite'",
        "3: models.minilm: needs exactly one source, found hubb; did you mean 'hub'?",
        "4: models.minilm: duplicate key; the first is on line 3",
        "7: tasks.sst2.kind: no task kind is called 'text-clasification'; did you mean 'text-classification'?",
        "8: tasks.sst2.data.revison: unknown key; did you mean 'revision'?",
        "12: tasks.sst3.metrics[0]: no metric is called 'acuracy'; did you mean 'accuracy'?",
        "13: tasks.sst3.max_length: expected a whole number, found '3'",
        "15: regimes.lora.learning_rate: the range's low end 0.01 must be below its high end 0.0001",
        "16: regimes.full: anchors are not allowed; put what tasks share under defaults",
        "16: regimes.full: give epochs or steps, not both",
        "17: sizes: must increase, with 'all' last",
        "18: label_nois: unknown key; did you mean 'label_noise'?",
        "19: seeds: expected a whole number or a list, found true",
        "20: budget.epochs: expected a number, found 'abc'",
    ]
    assert problems(suite, TEN) == expected


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name: nlp\n", "", "1: name: missing"),
        ("name: nlp", "name: ..", "1: name: must match"),
        ("name: nlp", "name: nlp\ncheckpoint: 0", "2: checkpoint: must be more than 0, found 0"),
        ("    kind: text-classification\n", "", "5: tasks.sst2.kind: missing"),
        ("    data: {hub: stanfordnlp/sst2}\n", "", "5: tasks.sst2.data: missing"),
        (
            "{hub: stanfordnlp/sst2}",
            "{hub: a, builtin: b}",
            "7: tasks.sst2.data: needs exactly one source, found hub and",
        ),
        ("{hub: stanfordnlp/sst2}", "{}", "7: tasks.sst2.data: needs exactly one source, found none; known: builtin,"),
        ("text: sentence", "text: 1", "8: tasks.sst2.columns.text: expected text, found 1"),
        ("test: 0.2", "test: 1.0", "9: tasks.sst2.splits.test: must be less than 1, found 1.0"),
        ("test: 0.2", "tst: 0.2", "9: tasks.sst2.splits.tst: unknown key; did you mean 'test'?"),
        ("no, on", "true", "10: tasks.sst2.labels[2]: expected text, found true"),
        ("    labels", "    lables", "10: tasks.sst2.lables: unknown key; did you mean 'labels'?"),
        (
            "[macro-f1]",
            "[macro-f1, bleu]",
            "11: tasks.sst2.metrics[1]: metric 'bleu' judges texts; text-classification gives classes",
        ),
        ("    metrics", "    label_nois", "11: tasks.sst2.label_nois: unknown key; did you mean 'label_noise'?"),
        (
            "    metrics",
            "    models: [minilmm]\n    metrics",
            "11: tasks.sst2.models[0]: no model of this suite is called",
        ),
        (
            "    metrics",
            "    regimes: [zero-shot, lora-r65]\n    metrics",
            "11: tasks.sst2.regimes[1]: no regime of this suite is called 'lora-r65'; did you mean 'lora-r64'?",
        ),
        (
            "    metrics",
            "    regimes: [lora, lora]\n    metrics",
            "11: tasks.sst2.regimes: listed more than once: lora",
        ),
        ("    metrics", "    models: []\n    metrics", "11: tasks.sst2.models: needs at least 1, found 0"),
        (
            "    metrics",
            "    regimes: [lora]\n    metrics",
            "14: regimes.zero-shot: no task is run with it; name it in a task's regimes",
        ),
        (
            "zero-shot:",
            "zero-shoot:",
            "13: regimes.zero-shoot: no regime is called 'zero-shoot'; did you mean 'zero-shot'?",
        ),
        ("zero-shot:", "zero-shot: 3", "13: regimes.zero-shot: expected nothing or a mapping of parameters, found 3"),
        ("1e-4, 1e-2", "1e-4", "14: regimes.lora.learning_rate[1]: missing"),
        ("[1e-4, 1e-2]", "-1", "14: regimes.lora.learning_rate: must be more than 0, found -1"),
        ("[1e-4, 1e-2]", "fast", "14: regimes.lora.learning_rate: expected a number or a list, found 'fast'"),
        (
            "regime: lora",
            "regime: loar",
            "15: regimes.lora-r64.regime: no regime is called 'loar'; did you mean 'lora'?",
        ),
        ("r: 64", "r: 16, learning_rate: [1e-4, 1e-2]", "15: regimes.lora-r64: says the same as 'lora'"),
        ("sizes: [64, 256, all]\n", "", "1: sizes: missing, and task 'sst2' has none"),
        ("256, all", "256, al", "16: sizes[2]: expected a whole number or 'all', found 'al'; did you mean 'all'?"),
        ("256, all", "64", "16: sizes: listed more than once: 64"),
        ("64, 256, all", "all, 64", "16: sizes: must increase"),
        ("64, 256, all", "0", "16: sizes[0]: must be at least 1, found 0"),
        ("64, 256, all", "1e3", "16: sizes[0]: expected a whole number or 'all', found 1000.0"),
        ("[64, 256, all]", "[]", "16: sizes: needs at least 1, found 0"),
        ("[0, 0.2]", "[0, 1]", "17: label_noise[1]: must be less than 1, found 1"),
        ("[0, 0.2]", "[.inf]", "17: label_noise[0]: expected a finite number, found .inf"),
        ("seeds: 5", "seeds: [1, 1000000]", "18: seeds[1]: must be less than 1000000, found 1000000"),
        ("seeds: 5", "seeds: 0", "18: seeds: must be at least 1"),
        ("seeds: 5", "seeds: 900000", "1: up to 48,600,000 trials"),
        ("seeds: 5", "tuning: {trails: 4}", "18: tuning.trails: unknown key; did you mean 'trials'?"),
        (
            "seeds: 5",
            "training: {precision: fp16}",
            "18: training.precision: expected 'fp32' or 'bf16', found 'fp16'; did",
        ),
        ("seeds: 5", "validation: 0.6", "18: validation: must be at most 0.5"),
        ("seeds: 5", "budget: {}", "18: budget: give exactly one of epochs, steps"),
    ],
)
def test_a_mistake_says_where_and_what(suite: Any, old: str, new: str, problem: str) -> None:
    found = problems(suite, swap(old, new))
    assert any(line.startswith(problem) for line in found), found


def test_one_mistake_is_one_problem(suite: Any) -> None:
    assert problems(suite, swap("{hub: stanfordnlp/sst2}", "!!str {hub: a}")) == [
        "7: tasks.sst2.data: tags are not allowed; remove tag:yaml.org,2002:str"
    ]
    assert problems(suite, swap("r: 16", "r: *x")) == [
        "14: regimes.lora.r: aliases are not allowed; put what tasks share under defaults, or write it out"
    ]
    assert problems(suite, swap("  minilm: s", "  a: s/b\n  b: {hub: s/b}\n  minilm: s")) == [
        "4: models.b: says the same as 'a': they would be the same trials"
    ]
    assert problems(suite, swap("  zero-shot:", "  ? [a]\n  : 1\n  zero-shot:")) == [
        "13: regimes: a key must be a plain word, not an alias, a list or a mapping"
    ]
    assert problems(suite, swap("  zero-shot:", "  <<: {a: b}\n  zero-shot:")) == [
        "13: regimes: merge keys (<<) are not allowed; put what tasks share under defaults"
    ]
    assert problems(suite, swap("[negative, positive, no, on]", "[" * 900_000))[0] in (
        "10: cannot be read further: nested deeper than 12 levels",
        "10: cannot be read further: exceeded maximum nesting depth",  # newer releases of libyaml say so first
    )


def test_tasks_that_share_trials_are_refused_and_others_are_not(suite: Any) -> None:
    first = "  a: {kind: text-classification, data: {builtin: d}, sizes: [8, 16], label_noise: [0]}\n"
    text = swap("tasks:\n", "tasks:\n" + first + first.replace("  a:", "  b:").replace("[8, 16]", "[16, 32]"))
    assert problems(suite, text) == ["6: tasks.b: says the same as 'a': they would be the same trials"]
    assert suite(text.replace("[16, 32]", "[32]"))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "1: the file is empty"),
        (b"# nothing\n", "1: the file is empty"),
        (b"- a\n", "1: expected a mapping, found a list"),
        (b"name: a\nmodels: \xff", "2: not UTF-8 text"),
        (b"name: a\n  b: c\n", "2: cannot be read further: mapping values are not allowed"),
        (b"name: a\nb: \x07\n", "2: cannot be read further: "),
        (b"--- a\n--- b\n", "2: a second document begins"),
        (b'name: "a\\0"\n', "1: name: holds a character that is not text"),
    ],
)
def test_what_is_no_suite_is_refused(suite: Any, data: bytes, problem: str) -> None:
    assert any(line.startswith(problem) for line in problems(suite, data)), problems(suite, data)


def test_unreadable_files_are_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "huge.yaml").write_bytes(b"#" * 1_000_001)
    for name, why in {
        "absent.yaml": "No such file",
        "": "Is a directory",
        "\0": "null",
        "huge.yaml": "larger than",
    }.items():
        with pytest.raises(SuiteError, match=why) as caught:
            load(tmp_path / name, SCHEMAS)
        assert len(caught.value.problems) == 1


def test_problems_are_safe_to_print(suite: Any) -> None:
    (found,) = problems(suite, VALID + '"\\e[31m\\n": 1\n')
    assert found.isprintable()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, None) for word in ("", "~", "null", "Null", "NULL")),
        *((word, word[0] in "tT") for word in ("true", "True", "TRUE", "false", "False", "FALSE")),
        *(
            (word, word)
            for word in ("no", "yes", "on", "off", "nULL", "1_000", "1:30", "0b1", "2001-01-01", "٣", "1e", "=")
        ),
        *(("0", 0), ("-7", -7), ("+7", 7), ("007", 7), ("0x1F", 31), ("0o17", 15)),
        *(("1e-4", 1e-4), (".5", 0.5), ("1.", 1.0), ("-1.5E+3", -1500.0), ("1e3", 1000.0), ("-.inf", float("-inf"))),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    assert (scalar(text), type(scalar(text))) == (value, type(value))


def test_quoted_scalars_are_text(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.yaml").write_text("a: '1'\nb: \"null\"\nc: |\n  true\n1: ''\n")
    text, document = read(tmp_path / "s.yaml")
    assert document.value == {"a": "1", "b": "null", "c": "true\n", "1": ""}
    assert document.lines == {(): 1, ("a",): 1, ("b",): 2, ("c",): 3, ("1",): 5}
    assert text.startswith("a:")


FUZZ = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(st.one_of(st.text(), st.text("[]{}:,-?&*!|>'\"%@# \n\tab0.~<\\"), st.binary()))
def test_any_text_raises_nothing_but_suite_error(suite: Any, text: str | bytes) -> None:
    with pytest.raises(SuiteError) as caught:
        suite(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    assert all(problem.isprintable() for problem in caught.value.problems)


PIECES = """[]|{}|null|true|-1|1e400|'3'|all|hub|&a x|*a|!t x|~u/x|<<: {a: b}|? [a] : b|[all, all]|{hub: x}|0.5|[[1]]
"\\ud800"|{a: {b: c}}|{files: [1]}|{files: {a: 1}}""".replace("\n", "|").split("|")
PIECES += ["9" * 39, "9" * 5000, "a" * 5000]


@FUZZ
@given(st.data())
def test_any_mutation_raises_nothing_but_suite_error(suite: Any, data: st.DataObject) -> None:
    text = VALID
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(
            st.one_of(st.just(start), st.just(max(start, text.find("\n", start))), st.integers(start, len(text)))
        )
        text = text[:start] + data.draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=5))) + text[end:]
    try:
        suite(text.encode("utf-8", "surrogatepass"))
    except SuiteError as error:
        assert error.problems  # noqa: PT017


@FUZZ
@given(st.data())
def test_any_wrong_value_raises_nothing_but_suite_error(suite: Any, data: st.DataObject) -> None:
    lines = VALID.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    lines[index] = f"{lines[index].partition(':')[0]}: {data.draw(st.sampled_from(PIECES))}"
    try:
        suite("\n".join(lines))
    except SuiteError as error:
        assert error.problems  # noqa: PT017


def test_loading_is_light_and_quick(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.yaml").write_text(VALID)
    program = """
import sys, time
sys.path.insert(0, sys.argv[2])
import test_suite
from bench.suite.load import load
start = time.process_time()
load(sys.argv[1], test_suite.SCHEMAS)
assert time.process_time() - start < 0.1
heavy = {"torch", "transformers", "datasets", "pandas", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    command = [sys.executable, "-c", program, str(tmp_path / "s.yaml"), str(pathlib.Path(__file__).parent)]
    subprocess.run(command, check=True, cwd=pathlib.Path(__file__).parents[1])
