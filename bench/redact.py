"""Takes secrets out of text: what the environment holds under a telling name, credentials in addresses, tokens.

Whatever is written or shown passes here, so that a record, a log or a message can be given to anybody.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote

HIDDEN = "[secret]"
LEAST = 6
"""Characters of a value that counts as a secret: shorter ones stand in ordinary text."""
_NAME = re.compile(r"TOKEN|KEY|SECRET|PASSW|PASSPHRASE|CREDENTIAL|(^|_)PASS($|_)", re.IGNORECASE)
_hidden: set[str] = set()
_ORDINARY = re.compile(r"true|false|enabled|disabled|default|[-+.\d_]{1,15}", re.IGNORECASE)
"""Values that are settings, a switch or a number; so is the path of something that exists."""
_PARAMETER = r"[\w-]*(?:token|key|secret|passw(?:or)?d|signature|credential|sig)[\w-]*"
_KNOWN = (
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s?#\"'<>]+@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(rf"([?&]{_PARAMETER}=)[^&#\s\"'<>]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(Bearer\s+)[\w.~+/=-]{20,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(?:sk|pk|rk|gsk|xai|pplx|nvapi)[-_](?=[\w-]*\d)[\w-]{20,}"), HIDDEN),
    (re.compile(r"\b(?:(?:hf|gh[oprsu])_[A-Za-z0-9]{16,}|github_pat_\w{20,})"), HIDDEN),
)


def hide(variable: str) -> None:
    """From now on, in this process, take what this environment variable holds for a secret, whatever its name."""
    _hidden.add(variable)


def redact(text: str) -> str:
    """The text with every secret in it replaced; other text stays as it is."""
    return _redact(text, _secrets())


def redact_all(value: Any) -> Any:
    """A JSON value with every text in it redacted; keys, numbers, truth values and null stay as they are."""
    return _walk(value, _secrets())


def _redact(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _KNOWN:
        text = pattern.sub(replacement, text)
    return text


def _walk(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        return _redact(value, secrets)
    if isinstance(value, dict):
        return {key: _walk(part, secrets) for key, part in value.items()}
    return [_walk(part, secrets) for part in value] if isinstance(value, list | tuple) else value


def _secrets() -> list[str]:
    """The environment's secrets as they may appear in a text, the longest first, since one may hold another."""
    found: set[str] = set()
    for name, value in os.environ.items():
        whole = value.strip()
        secret = _NAME.search(name) and not _ORDINARY.fullmatch(whole) and not os.path.exists(whole)
        if secret or name in _hidden:
            lines = [line.strip() for line in whole.splitlines()[1:-1]]  # of a key file; its frame is no secret
            found |= {whole, " ".join(whole.split()), quote(whole, safe=""), *lines}
    return sorted((secret for secret in found if len(secret) >= LEAST), key=lambda secret: (-len(secret), secret))
