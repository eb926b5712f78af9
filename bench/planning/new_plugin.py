"""`bench new`: a plugin's file that works as it is, to be changed into what is wanted."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import bench
from bench import plugins
from bench.errors import UsageError


def write(kind: str, name: str, folder: Path) -> Path:
    """Write the file into `folder` and return its path. Raises UsageError, and overwrites nothing."""
    plural = plugins.SINGULAR[kind]
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"{name!r} is no name of a plugin: small letters and digits, with single dashes between words")
    if kind in ("model-source", "data-source") and (not name.isidentifier() or keyword.iskeyword(name)):
        raise UsageError(f"'{name}' is a key of its own in YAML and a field in Python; a source's name is one word")
    if name in plugins.names(plural):
        raise UsageError(f"there is a plugin called '{name}' in {plural} already; take another name")
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; make it first")
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    path = folder / f"{name.replace('-', '_')}.py"
    loader = FileSystemLoader(Path(__file__).parent / "plugin_templates")
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)
    cls = "".join(part.capitalize() for part in name.split("-"))
    source = environment.get_template(f"{kind}.py.j2").render(name=name, cls=cls)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(source)
    except FileExistsError:
        raise UsageError(f"{path}: exists already, and is left as it is") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return path


def next_steps(kind: str, name: str, path: Path) -> str:
    """What to do with a file that was written."""
    plural = plugins.SINGULAR[kind]
    place = plugins.PLACES.get(plural, f"bench.{plural}").replace(".", "/")
    if path.parent.resolve() == Path(bench.__file__).parents[1] / place:
        found = f"It is in {place}/, where bench finds it."
    else:
        found = f"""\
bench finds it in {place}/ of a checkout, or in a package of yours whose pyproject.toml says

    [project.entry-points."bench.plugins"]
    "{plural}.{name}" = "YOUR_PACKAGE.{path.stem}"
"""
    used = {
        "regimes": f"regimes: {{{name}:}} in a suite",
        "tasks": f"kind: {name} of a task in a suite",
        "metrics": f"metrics: [{name}] of a task in a suite",
        "objectives": f'OBJECTIVE = "{name}" of a task kind',
        "zeroshot": f"zero-shot: {{way: {name}}} under regimes of a suite",
        "model_sources": f"{{{name}: …}} under models of a suite",
        "data_sources": f"{{{name}: …}} under data of a task in a suite",
        "formats": "bench report, which writes every format",
        "executors": f"bench run SUITE --executor {name}",
    }[plural]
    listed = f"bench list {plural.replace('_', '-')}"
    return f"{found}\nUsed by: {used}\nWhat its members mean: docs/plugins.md; {listed}"
