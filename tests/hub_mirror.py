"""The Hub mirror beside this project, served on loopback."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

MIRROR = Path(__file__).parents[2] / "shared" / "hub"


@contextlib.contextmanager
def mirror(adjust: Callable[[ModuleType], None] = lambda module: None) -> Iterator[Callable[..., str]]:
    """Serves the local Hub mirror or another folder, with faults where given; yields what starts it at an address.

    adjust: changes the mirror's module, loaded for this alone, before anything is served.
    """
    if not MIRROR.is_dir():
        pytest.skip("there is no Hub mirror here")
    spec = importlib.util.spec_from_file_location("serve", MIRROR / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    adjust(module)
    servers = []

    def serve(*faults: str, root: Path = MIRROR) -> str:
        servers.append(module.start(root, faults=list(faults)))
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
