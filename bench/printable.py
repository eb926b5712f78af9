"""Names as they may be shown: whoever wrote the suite or the log does not drive the terminal or the page."""

from __future__ import annotations

import unicodedata


def printable(text: object) -> str:
    """One line without control, direction-changing or unpaired characters."""
    said = str(text)
    if said.isprintable():  # nearly all are, and looking at each character takes its time
        return said
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in said)
