"""A cache of what is expensive to compute, by what determines it: tokens, features, pretrained tiny models.

It lies in `BENCH_CACHE`, else in `bench` in the user's cache folder, and may be deleted at any time. Every process
compares an entry with its checksums before it first uses it: one that is damaged is computed anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import StoreError
from bench.store import disk, safe_reading
from bench.suite.trial import Json, digest

WAIT = 5.0
"""Seconds between two signs of life while another process fills a folder."""
SUMS = ".checksums.json"
"""In an entry's folder, the size and checksum of every other file."""
ATTEMPTS = 3
"""How often an entry is filled whose folder somebody deletes meanwhile."""
_TENSORS = ("torch", "transformers", "tokenizers", "numpy")
_DATA = ("datasets", "pyarrow", "numpy", "pillow")
MADE_BY = {
    "data": _DATA,
    "splits": _DATA,
    "encoded": (*_TENSORS, *_DATA, "sentencepiece", "torchvision"),
    "features": (*_TENSORS, "torchvision"),
    "pretrained": (*_TENSORS, *_DATA, "accelerate", "scikit-learn", "scipy"),
    "random": _TENSORS,
    "networks": (*_TENSORS, "torchvision"),
    "zero-shot": (*_TENSORS, "torchvision"),
    "start": (*_TENSORS, "peft", "accelerate"),
    "scores": (*_TENSORS, "peft", "accelerate"),
    "tf-idf": ("scikit-learn", "scipy", "numpy"),
    "simple-features": ("scikit-learn", "scipy", "numpy", "pillow"),
}
"""The packages whose versions an entry's content depends on, beside its key and this program's own version. What is
not named here depends on its key alone: what an endpoint answered, a download that was compared with its checksum."""
_BLOCK = 1 << 20
_SIGN = 64
"""Blocks between two signs of life while checksums are computed."""
_sound: dict[Path, list[tuple[str, int, int, int]]] = {}
"""Entries that this process has compared with their checksums, and the files' stamps then."""


_on_wait: ContextVar[Callable[[], None]] = ContextVar("on_wait", default=lambda: None)


@contextlib.contextmanager
def signs_of_life(on_wait: Callable[[], None]) -> Iterator[None]:
    """Inside it `on_wait` is called now and then while another process fills a folder, or a large one is read."""
    token = _on_wait.set(on_wait)
    try:
        yield
    finally:
        _on_wait.reset(token)


def root() -> Path:
    """The cache's folder."""
    named = os.environ.get("BENCH_CACHE")
    place = named or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "bench")
    return Path(os.path.expanduser(place)).absolute()


def cached(kind: str, key: Json, fill: Callable[[Path], None]) -> Path:
    """The folder for this key, filled by `fill(folder)` if it is not there yet, or is damaged.

    Whole or absent: it is filled under another name and then renamed. Two processes that want the same folder wait
    for each other, so that nothing is computed twice. Raises StoreError where the disk refuses, else what `fill`
    raises.
    """
    target = root() / kind / digest(_whole_key(kind, key), 32)
    if _is_sound(target):
        return target
    for _ in range(ATTEMPTS):
        with contextlib.suppress(_DeletedError), _held(target):
            if not _is_sound(target):
                _fill(target, fill)
            return target
    raise StoreError(f"{target}: was deleted again and again while it was written; leave the cache alone, run again")


def deleted() -> bool:
    """Whether an entry that this process used has gone since: what fails now may fail for that."""
    return not all((entry / SUMS).exists() for entry in _sound)


class _DeletedError(Exception):
    """The folder that was being filled has gone: somebody empties the cache."""


def _whole_key(kind: str, key: Json) -> Json:
    """The key, and the versions of what an entry of this kind is made by."""
    if kind not in MADE_BY:
        return key
    return {"key": key, "made by": {name: _version(name) for name in ("retrain-bench", *MADE_BY[kind])}}


@functools.cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@contextlib.contextmanager
def _held(target: Path) -> Iterator[None]:
    """The sole right to fill a folder."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hold = FileLock(target.with_suffix(".lock"))
        _acquire(hold)
    except FileNotFoundError as error:
        raise _DeletedError from error
    except OSError as error:
        raise _refusal(target, error) from error
    try:
        yield
    except OSError as error:
        if error.errno not in disk.FULL:
            raise
        raise _refusal(target, error) from error
    finally:
        hold.release()


def _acquire(hold: FileLock) -> None:
    """Wait for whoever fills the folder, with a sign of life now and then."""
    while True:
        with contextlib.suppress(Timeout):
            hold.acquire(timeout=WAIT)
            return
        _on_wait.get()()


def _refusal(target: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{target}: cannot be written: {error.strerror}; make room, or name a folder elsewhere in BENCH_CACHE"
    )


def _fill(target: Path, fill: Callable[[Path], None]) -> None:
    partial = target.with_name(f".partial-{target.name}")
    shutil.rmtree(partial, ignore_errors=True)  # a killed process's: whoever fills it holds the lock
    try:
        disk.mkdir(partial)
        fill(partial)
        sums = {name: [size, _checksum(partial / name)] for name, size, *_ in _stamps(partial)}
        (partial / SUMS).write_text(json.dumps(sums))
        for path in partial.rglob("*"):
            disk.sync_path(path)  # else a power cut could leave empty files under the whole folder's name
        disk.sync_path(partial)
        if target.exists():
            print(f"bench: {target}: was damaged, and is computed anew", file=sys.stderr)
            shutil.rmtree(target)
        disk.rename(partial, target)
        disk.sync_path(target.parent)
    except BaseException as error:
        if isinstance(error, Exception) and not partial.is_dir() and not target.is_dir():
            raise _DeletedError from error
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _sound[target] = _stamps(target)


def _is_sound(target: Path) -> bool:
    """Whether an entry is there and holds what was put into it. Files that a library added since are not its own."""
    try:
        sums = json.loads(safe_reading.whole(target / SUMS))
        stamps = [stamp for stamp in _stamps(target) if stamp[0] in sums]
        if _sound.get(target) == stamps:
            return True
        sizes = {name: size for name, size, *_ in stamps}
        if sizes != {name: size for name, (size, _) in sums.items()}:
            return False
        if any(_checksum(target / name) != expected for name, (_, expected) in sums.items()):
            return False
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return False
    _sound[target] = stamps
    return True


def _stamps(folder: Path) -> list[tuple[str, int, int, int]]:
    """Name, size, time and inode of every file in a folder but the checksums."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SUMS:
            about = path.stat()
            found.append((path.relative_to(folder).as_posix(), about.st_size, about.st_mtime_ns, about.st_ino))
    return found


def _checksum(path: Path) -> str:
    found, block, blocks = hashlib.sha256(), bytearray(_BLOCK), 0
    with path.open("rb") as file:
        while size := file.readinto(block):
            found.update(memoryview(block)[:size])
            blocks += 1
            if blocks % _SIGN == 0:
                _on_wait.get()()
    return found.hexdigest()
