"""Whatever a suite file, a record file, a plan or a lock holds: one clear error or none, and never a traceback.

A few examples each; `make fuzz` (FUZZ_SECONDS=120, shared by the tests here) goes on with others until its time is up.
"""

from __future__ import annotations

import copy
import io
import itertools
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from factory import example
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rows import Row

from bench import api
from bench.analysis import check, frame
from bench.errors import BenchError, StoreError, SuiteError
from bench.planning import lock
from bench.planning.summary import status_of, summarise
from bench.report import terminal
from bench.report.formats import latex, markdown
from bench.report.section import sections
from bench.store import paths, records
from bench.suite.load import grid_size
from bench.suite.trial import canonical, digest

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
TESTS = 4
ROOT = Path(__file__).parents[2]
SUITES = sorted((ROOT / "suites").glob("*.yaml"))
WORDS = sorted({
    *(word for path in SUITES for word in re.findall(r"[a-z_-]+(?=:)", path.read_text())),
    *(word for path in (ROOT / "docs").glob("*.md") for word in re.findall(r"`([a-z_-]+)`", path.read_text())),
})  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 100),
    st.integers(),
    st.sampled_from([10**40, -(10**400), 0.1, -0.0, 1e-320, 1e308, "", "a" * 5000, "../x", "\x1b[31m", "nan", "=1+1"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
PIECES = [
    "[" * 500,
    "{a: " * 500,
    "&a ",
    "*a",
    "!!python/object:os.system x",
    "<<: ",
    "? ",
    "\t",
    "\0",
    "\ud800",
    "9" * 5000,
]
PIECES += [
    "- ",
    ": ",
    "\n",
    "#",
    "'",
    '"',
    "|\n",
    ">-\n",
    "%YAML 1.1\n",
    "---\n",
    "...\n",
    "1e400",
    ".nan",
    "0x" + "f" * 39,
    "~",
]


def fuzz(one: Callable[[st.DataObject], None]) -> None:
    """Examples for as long as there is time, the first of them always the same."""
    until = time.monotonic() + SECONDS / TESTS
    for number in itertools.count():
        seed = random.getrandbits(64) if number else 0
        quiet = settings(
            max_examples=40 if SECONDS else 15,
            database=None,
            phases=(Phase.generate,),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        quiet(hypothesis.seed(seed)(given(st.data())(one)))()
        if time.monotonic() >= until:
            return


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a value but itself."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in items for found in [(*path, key), *places(part, (*path, key))]]


def changed(data: st.DataObject, value: Any) -> Any:
    """A value with something in it replaced, removed or added."""
    value = copy.deepcopy(value)
    for _ in range(data.draw(st.integers(1, 3))):
        if not (known := places(value)):
            return value
        *above, last = data.draw(st.sampled_from(known))
        holder = value
        for key in above:
            holder = holder[key]
        match data.draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "replace":
                holder[last] = data.draw(VALUES)
            case "remove":
                del holder[last]
            case _ if isinstance(holder, dict):
                holder[data.draw(st.sampled_from(WORDS))] = data.draw(VALUES)
    return value


def torn(data: st.DataObject, text: bytes) -> bytes:
    """Bytes with a piece of them cut out, or others put in."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from([0, 0, 1, 2, 20, 10**6])))
        piece = data.draw(
            st.one_of(st.sampled_from(PIECES).map(lambda p: p.encode("utf-8", "surrogatepass")), st.binary())
        )
        text = text[:start] + piece + text[end:]
    return text


def clear(action: Callable[..., Any], *arguments: Any) -> Any:
    """What it returns, or the one error a user reads; anything else fails the test."""
    try:
        return action(*arguments)
    except BenchError as error:
        return error


def plan_of(file: Path, results: Path) -> None:
    suite = clear(api.load_suite, file)
    if isinstance(suite, SuiteError):
        assert suite.problems
        assert all(problem.isprintable() for problem in suite.problems)
    elif grid_size(suite) < 20_000:
        clear(lambda: summarise(api.plan(suite, results), results, smoke=False))


def test_suites_that_are_no_yaml(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"

    def one(data: st.DataObject) -> None:
        text = data.draw(st.sampled_from(SUITES)).read_bytes()
        file.write_bytes(
            data.draw(st.binary() | st.text(max_size=100).map(str.encode)) if not text else torn(data, text)
        )
        plan_of(file, tmp_path)

    fuzz(one)


def test_suites_with_anything_in_them(tmp_path: Path) -> None:
    file, whole = tmp_path / "s.yaml", [yaml.safe_load(path.read_text()) for path in SUITES]

    def one(data: st.DataObject) -> None:
        value = (
            data.draw(VALUES) if data.draw(st.integers(0, 9)) == 0 else changed(data, data.draw(st.sampled_from(whole)))
        )
        file.write_text(
            json.dumps(value, ensure_ascii=data.draw(st.booleans())), encoding="utf-8", errors="surrogatepass"
        )
        plan_of(file, tmp_path)

    fuzz(one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with something of everything, their predictions left out for speed."""
    folder = example(tmp_path_factory.mktemp("whole") / "r")
    shutil.rmtree(folder / "artifacts")
    return folder


def read_all(folder: Path) -> None:
    """What every command that reads results does with them."""
    for read in (_report, status_of, check.check, lock.read):
        found = clear(read, folder)
        assert not isinstance(found, Exception) or (isinstance(found, StoreError) and str(folder) in str(found))


def _report(folder: Path) -> None:
    found = frame.load(folder)
    built = sections(found)
    markdown.Markdown().render(built)
    latex.Latex().render(built)
    terminal.print_report(built, Console(file=io.StringIO(), width=100))


@pytest.mark.fault(Row.DAMAGED)
def test_records_that_are_torn_or_hold_anything(whole: Path) -> None:
    source = sorted(paths.records(whole).glob("*run.jsonl"))[0].read_bytes().splitlines()
    target = paths.records(whole) / "z.jsonl"

    def one(data: st.DataObject) -> None:
        line = data.draw(st.sampled_from(source))
        if data.draw(st.booleans()):
            line = torn(data, line)
        else:
            value = changed(data, json.loads(line))
            value.pop("checksum", None)
            line = canonical({**value, "checksum": digest(value, 64)}).encode("utf-8", "surrogatepass")
        target.write_bytes(b"\n".join([line, source[0]]))
        read_all(whole)
        if b'"schema":1' in line:
            assert len(records.read(whole).records) >= len(source)

    fuzz(one)
    target.unlink()


LOCK = b"""{"schema": 1, "regimes": {},
"models": {"a": {"request": {}, "fingerprint": "m", "files": {"config.json": "{}"}}},
"tasks": {"t": {"request": {}, "fingerprint": "t", "labels": ["x"], "classes": {"train": [1]},
"summary": {"rows": {"train": 1}, "remarks": []}}}}"""


def test_plans_and_locks_that_are_torn_or_hold_anything(whole: Path) -> None:
    plan = paths.plan(whole).read_bytes()
    names = {"plan.json": plan, "lock.json": LOCK}

    def one(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(names)))
        text = names[name]
        text = torn(data, text) if data.draw(st.booleans()) else json.dumps(changed(data, json.loads(text))).encode()
        (whole / name).write_bytes(text)
        read_all(whole)

    fuzz(one)
    paths.plan(whole).write_bytes(plan)
