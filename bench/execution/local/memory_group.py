"""A memory control group for each process, where the machine allows one.

A process that ends with signal 9 does not say who sent it. The kernel counts, per control group, whom it killed for
want of memory: a group that holds one process and what it started is the only proof. Linux, version 1 or 2 of the
interface (docs.kernel.org: cgroup-v1/memory, cgroup-v2).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")


def _home() -> Path:
    """The group this process is in. Raises OSError where there is none."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return _MOUNT / "memory" / path.lstrip("/")
        if not controllers and (_MOUNT / "cgroup.controllers").exists():
            return _MOUNT / path.lstrip("/")
    raise FileNotFoundError("no memory control group")


def _count(group: Path) -> int:
    """How many processes of a group the kernel has killed. Raises OSError where it does not count them."""
    events = group / "memory.events"
    path = events if events.exists() else group / "memory.oom_control"
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith("oom_kill "))


def enter(pid: int) -> None:
    """Put this process, whose id is `pid`, into a group of its own; quietly nothing where that is not allowed."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        group = _home() / f"bench-{pid}"
        group.mkdir()
        try:
            _count(group)
            (group / "cgroup.procs").write_text(str(pid))
        except (OSError, StopIteration):
            group.rmdir()


def leave(pid: int) -> bool:
    """Take away the group of a process that has ended; True where the kernel killed it for want of memory."""
    killed = False
    with contextlib.suppress(OSError, ValueError, StopIteration):
        group = _home() / f"bench-{pid}"
        killed = _count(group) > 0
        group.rmdir()
    return killed


def tidy() -> None:
    """Take away empty groups that killed servers left."""
    with contextlib.suppress(OSError, ValueError):
        for group in _home().glob("bench-*"):
            with contextlib.suppress(OSError):
                os.rmdir(group)  # refused while a process is in it


def killed_so_far() -> int:
    """How many processes of this machine the kernel has killed for memory; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
