"""A user's own code, a file beside the suite: run only where the suite's source has said that it is the user's.

A model's files name code by its content alone, so that files from elsewhere run nothing that the user did not name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.errors import ModelError, did_you_mean

_named: dict[str, Path] = {}
_modules: dict[str, Any] = {}


def allow(path: Path) -> str:
    """Have this process run the file where a model needs it; returns the file's SHA-256, by which it is known."""
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    _named[known] = path
    return known


def function(known: str, name: str) -> Callable[..., Any]:
    """A function or class of a file that is allowed. Raises ModelError."""
    path = _named.get(known)
    if path is None:
        raise ModelError("its files name code of a source `python`; only that source, in a suite, runs such code")
    if known not in _modules:
        _modules[known] = _imported(path, f"own_code_{known[:16]}")
    found = getattr(_modules[known], name, None)
    if not callable(found):
        own = [key for key, value in vars(_modules[known]).items() if callable(value) and not key.startswith("_")]
        named = ", ".join(own[:8]) or "none"
        raise ModelError(f"{path.name}: has no function '{name}'; it has {named}{did_you_mean(name, own)}")
    return found  # type: ignore[no-any-return]


def _imported(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        hint = "; what it imports must be installed, for it is run on its own" if isinstance(error, ImportError) else ""
        raise ModelError(f"{path.name}: cannot be imported: {said(error)}{hint}") from error
    return module


def said(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
