"""Shows a page in the browser of whoever sits here, if anybody does."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path


def show(path: Path) -> str | None:
    """Open a file; a sentence on what to do instead where there is no browser that has a window of its own."""
    said = f"No browser here to open {path} in: copy it to where one is; it is one file and needs no network."
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return said
    windowless = sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if type(found) is webbrowser.GenericBrowser or (windowless and "BROWSER" not in os.environ):
        return said  # one for the terminal would take it over
    try:
        return None if found.open_new_tab(path.resolve().as_uri()) else said
    except (OSError, webbrowser.Error):
        return said
