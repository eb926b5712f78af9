"""What libraries do not promise to keep: which release took it away, and what happens without it."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from source_files import modules
from torch import nn

from bench import private_api
from bench.errors import BenchError
from bench.probes import flops
from bench.probes.guard import Guard

LIBRARIES = ("torch", "transformers", "peft", "datasets", "huggingface_hub")
PUBLIC = {"torch": {"nn", "nn.functional", "utils.data", "utils.flop_counter"}, "huggingface_hub": {"errors"},
          "transformers": {"modeling_outputs"}, "peft": {"tuners.tuners_utils"}}  # fmt: skip
"""Documented modules below a library's own name."""


@pytest.mark.parametrize(("library", "name"), private_api.USED)
def test_the_installed_release_still_has_it(library: str, name: str) -> None:
    if not private_api.has(library, name):
        pytest.fail(f"{library} {version(library)} has no {name}: mend bench/private_api.py and docs/dependencies.md")


@pytest.mark.parametrize(("library", "name"), private_api.USED)
def test_the_docs_say_what_it_is_for(library: str, name: str) -> None:
    docs = (Path(__file__).parents[1] / "docs/dependencies.md").read_text()
    assert f"| `{library}.{name}` |" in docs


def undocumented(source: str) -> list[str]:
    """Deep or underscored imports and attributes of the libraries, wherever in a source."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            library, _, rest = node.module.partition(".")
            names = [alias.name for alias in node.names]
            if library in LIBRARIES and (
                (rest and rest not in PUBLIC.get(library, set())) or any(name.startswith("_") for name in names)
            ):
                found.append(f"from {node.module} import {', '.join(names)}")
        if isinstance(node, ast.Import):
            found += [f"import {a.name}" for a in node.names if "." in a.name and a.name.split(".")[0] in LIBRARIES]
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("_"):
            root = ast.unparse(node)
            if root.split(".")[0] in (*LIBRARIES, "auto"):
                found.append(root)
    return found


def test_nobody_else_uses_undocumented_parts_of_a_library() -> None:
    used = {name: undocumented(path.read_text()) for name, path in modules().items() if name != "private_api"}
    assert {name: parts for name, parts in used.items() if parts} == {}
    source = "from transformers.masking_utils import x\nimport peft.tuners\ntorch._C.y\nfrom torch import nn"
    assert undocumented(source) == ["from transformers.masking_utils import x", "import peft.tuners", "torch._C"]


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that has none of it."""
    find = private_api.find

    def lacking(library: str, name: str) -> Any:
        return find(library, f"{name}_gone" if (library, name) in private_api.USED else name)

    monkeypatch.setattr(private_api, "find", lacking)


@pytest.mark.usefixtures("gone")
def test_what_can_do_without_does(tmp_path: Path) -> None:
    private_api.leave_masks_unread()
    private_api.read_old_weights_names()
    assert private_api.linear_kinds() == (nn.Linear,)
    assert private_api.prepared("a/b", "default", "0" * 40) is None
    assert private_api.hub_client() is None
    (tmp_path / "a.txt").write_bytes(b"whole")
    with private_api.open_within(str(tmp_path / "a.txt")) as file:
        assert file.read() == b"whole"


@pytest.mark.usefixtures("gone")
def test_flops_that_would_be_wrong_are_not_counted() -> None:
    guard = Guard()

    def count() -> int:
        with flops.count() as counted:
            nn.Linear(2, 3)(torch.randn(1, 2))
        return counted.flops

    assert guard("the number of FLOPs", count) is None
    assert f"torch {torch.__version__.partition('+')[0]}" in guard.notes[0]
    assert "install a release that has it" in guard.notes[0]


def test_what_is_not_there_is_named_with_its_release() -> None:
    with pytest.raises(BenchError, match=rf"transformers {version('transformers')} has no nothing\.at_all; install a"):
        private_api.find("transformers", "nothing.at_all")
