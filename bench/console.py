"""The console that commands print to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """Rich's console; wide where nobody watches, and without an exit code of its own where its reader goes away."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with 1: `bench report … | head` is no failure

    made = Ours(stderr=stderr)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = 160  # whoever reads the file or pipe wraps lines as they like
    return made
