"""Values as YAML on one line, for suites that are written for somebody."""

from __future__ import annotations

import json
import re
from typing import Any

from bench.suite.yaml import scalar


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{word(k)}: {flow(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return word(value) if isinstance(value, str) else json.dumps(value)


def word(text: str) -> str:
    """A string as YAML: plain where nothing else could be meant, else in double quotes."""
    if re.fullmatch(r"[A-Za-z/][\w./-]*( [\w./-]+)*", text, re.ASCII) and isinstance(scalar(text), str):
        return text
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
