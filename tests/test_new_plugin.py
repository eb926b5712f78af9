"""`bench new` writes plugins that keep their contracts; docs/plugins.md names every member of every contract."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from plugin_contract import BASES, class_of, problems
from tiny_models import tiny_bert

from bench import plugins
from bench.cli import main
from bench.errors import UsageError
from bench.planning import new_plugin
from bench.store import records

ROOT = Path(__file__).parents[1]
NAMES = {kind: f"toy{kind.removesuffix('-source')}" for kind in plugins.SINGULAR}

SMOOTH = '''"""Text classification whose models are trained for the objective of another package."""

from __future__ import annotations

from bench.tasks.text_classification import TextClassification


class Smooth(TextClassification):
    """One class a text."""

    OBJECTIVE = "toyobjective"
'''
SUITE = """\
name: toys
models: {bert: {toymodel: bert}}
tasks:
  even: {kind: toytask, data: {toydata: 16}, metrics: [toymetric, accuracy], regimes: [toyzeroshot, toyregime]}
  smooth: {kind: smooth, data: {toydata: 16}, labels: [even, odd], regimes: [toyregime, partial]}
regimes:
  toyzeroshot: {regime: zero-shot, way: toyzeroshot}
  toyregime: {C: 1.0}
  partial: {steps: 2, learning_rate: 1e-3, blocks: 1}
sizes: [12]
seeds: 1
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the path with a package of toys, one plugin a kind, as `bench new` writes them."""
    folder = tmp_path_factory.mktemp("site")
    package, about = folder / "toys", folder / "toys-1.0.dist-info"
    package.mkdir()
    about.mkdir()
    (package / "__init__.py").write_text("")
    entries = []
    for kind, name in NAMES.items():
        path = new_plugin.write(kind, name, package)
        entries.append(f"{plugins.SINGULAR[kind]}.{name} = toys.{path.stem}")
    (package / "smooth.py").write_text(SMOOTH)
    entries.append("tasks.smooth = toys.smooth")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("\n".join(["[bench.plugins]", *entries]) + "\n")
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the package of toys were installed."""
    monkeypatch.syspath_prepend(str(site))
    plugins._modules.cache_clear()
    importlib.invalidate_caches()
    yield
    monkeypatch.undo()
    plugins._modules.cache_clear()


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.usefixtures("installed")
def test_a_new_plugin_keeps_its_contract_and_is_listed(kind: str) -> None:
    folder, name = plugins.SINGULAR[kind], NAMES[kind]
    assert list(problems(folder, name, class_of(folder, name))) == []
    done = CliRunner().invoke(main, ["list", folder.replace("_", "-")])
    assert name in done.output


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.2.0", reason="numpy's types before 2.2 want their parameters spelt out"
)
def test_new_plugins_pass_strict_mypy(site: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"), "-p", "toys"]
    env = {**os.environ, "MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache")}
    done = subprocess.run(command, cwd=site, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_plugins_work_in_a_suite(site: Path, tmp_path: Path) -> None:
    tiny_bert("BertModel", tmp_path / "bert")
    (tmp_path / "toys.yaml").write_text(SUITE)
    path = os.pathsep.join([str(site), str(ROOT)])
    env = {**os.environ, "BENCH_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1", "PYTHONPATH": path}

    def bench(*arguments: str) -> None:
        command = [sys.executable, "-c", "from bench.cli import main; main()", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    bench("run", "toys.yaml", "--devices", "cpu", "--executor", "toyexecutor")
    found = records.read(tmp_path / "results/toys").records
    assert len(found) == 4
    assert {record["status"] for record in found} == {"ok"}
    assert {record["scores"]["metric"] for record in found} == {"toymetric", "accuracy"}
    bench("check", "results")
    bench("report", "results")
    assert (tmp_path / "results/toys/report/toyformat.txt").read_text().startswith("toys: ")


def test_nothing_is_overwritten_and_names_are_checked(tmp_path: Path) -> None:
    new_plugin.write("metric", "top-two", tmp_path)
    for kind, name, said in (
        ("metric", "top-two", "exists already, and is left as it is"),
        ("metric", "Top Two", "is no name of a plugin"),
        ("metric", "accuracy", "there is a plugin called 'accuracy' in metrics already"),
        ("data-source", "my-data", "a source's name is one word"),
    ):
        with pytest.raises(UsageError, match=said):
            new_plugin.write(kind, name, tmp_path)
    with pytest.raises(UsageError, match="is no folder; make it first"):
        new_plugin.write("metric", "other", tmp_path / "none")


def test_what_to_do_next_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["new", "regime", "my-way", "--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert '"regimes.my-way" = "YOUR_PACKAGE.my_way"' in done.output


@pytest.mark.parametrize("folder", BASES)
def test_every_member_of_a_contract_is_documented(folder: str) -> None:
    sections = (ROOT / "docs" / "plugins.md").read_text().split("\n## ")
    (section,) = [text for text in sections if f"entry points `{folder}.NAME`" in text]
    base = BASES[folder]
    members = {name for kind in base.__mro__[:-1] for name in (*vars(kind), *vars(kind).get("__annotations__", {}))}
    for name in sorted(one for one in members if not one.startswith("_")):
        assert f"| `{name}` |" in section or f"| `{name}(" in section, f"docs/plugins.md says nothing of {name}"
        value = inspect.getattr_static(base, name, None)
        assert not inspect.isfunction(value) or inspect.getdoc(value), f"{base.__name__}.{name} has no docstring"
