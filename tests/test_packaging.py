"""The sdist, and the wheel built from it, installed in an environment of its own, work without the checkout."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = f"retrain_bench-{PROJECT['version']}"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "MANIFEST.in", "bench", "tests")


def call(*command: Any, cwd: Path) -> str:
    """Run outside the checkout, without what this process has on its path."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, for setuptools writes beside them."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    call(sys.executable, "-c", "from setuptools import build_meta; build_meta.build_sdist('dist')", cwd=folder)
    return folder / "dist" / f"{NAME}.tar.gz"


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    call(*pip, "--wheel-dir", folder, sdist, cwd=folder)
    return folder / f"{NAME}-py3-none-any.whl"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment with the wheel, which sees what this one has besides it."""
    folder = tmp_path_factory.mktemp("installed")
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "--quiet")
    call(*pip, "--no-deps", "--no-index", wheel, cwd=folder)
    own = call(folder / "bin/python", "-c", "import site; print(site.getsitepackages()[0])", cwd=folder).strip()
    others = [path for path in sys.path if Path(path).name == "site-packages" or path in site.getsitepackages()]
    Path(own, "others.pth").write_text("\n".join(others))
    return folder / "bin"


def test_the_sdist_holds_the_sources_and_no_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "bench/cli.py", "bench/py.typed"} <= names
    assert [name for name in names if name.startswith("tests")] == []


def test_the_wheel_holds_every_file_of_the_package_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f"{NAME}.dist-info/METADATA").decode()
    files = [path for path in (ROOT / "bench").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {name for name in names if ".dist-info/" not in name} == {str(path.relative_to(ROOT)) for path in files}
    assert {"bench/py.typed", f"{NAME}.dist-info/licenses/LICENSE"} <= names
    assert "License-Expression: Apache-2.0" in metadata


def test_what_is_installed_runs_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = call(installed / "python", "-c", "import bench; print(bench.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert call(installed / "bench", "--version", cwd=tmp_path) == f"bench, version {PROJECT['version']}\n"
    assert "Usage: bench" in call(installed / "bench", "--help", cwd=tmp_path)
    assert "linear-probe" in call(installed / "bench", "list", cwd=tmp_path)
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(f"film {i},{'ab'[i % 2]}\n" for i in range(40)))
    suite = call(installed / "bench", "init", "train.csv", cwd=tmp_path)  # filled into a template of the package
    assert "kind: text-classification" in suite


def test_the_changelog_has_this_release() -> None:
    assert f"\n## {PROJECT['version']} (" in (ROOT / "CHANGELOG.md").read_text()
