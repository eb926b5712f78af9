"""Takes secrets out of text: what the environment holds under a telling name, credentials in addresses, tokens.

Whatever is written or shown passes here, so that a record, a log or a message can be given to anybody. Time grows with
the text's length and no faster: every repeated part of a pattern is bounded, possessive, or begins where no other can.
"""

from __future__ import annotations

import html
import json
import os
import re
import shlex
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "[secret]"
LEAST = 6
"""Characters of a value that counts as a secret: shorter ones stand in ordinary text."""
STRONG = 12
"""A value of so many characters, not letters alone nor digits alone, is a secret inside longer words too."""
_SECRET = re.compile(
    r"SECRET|PASSW|PASSPHRASE|(^|_)PASS($|_)|_PWD$|CREDENTIAL|(API|ACCESS|PRIVATE|ACCOUNT|MASTER)_?KEY|WEBHOOK"
    r"|(AUTH|ACCESS|API|BEARER|REFRESH|SESSION)_?TOKEN|(^|_)JWT($|_)|CONN(ECTION)?_?STR(ING)?($|_)|(^|_)DSN($|_)",
    re.IGNORECASE,
)
"""Names of variables whose value is a secret whatever it looks like."""
_LIKELY = re.compile(r"TOKEN(?!IZ)|KEY($|[_\dS])|(^|_)(PAT|AUTH|AUTHORIZATION|BEARER)($|_)|COOKIE", re.IGNORECASE)
"""Names of variables whose value is a secret where it is no ordinary word: `C_KEY=accuracy` hides nothing."""
_PLACE = re.compile(r"_(FILE|PATH|DIR|HOME|SOCK)$", re.IGNORECASE)
_AMOUNT = re.compile(
    r"(^|_)(TOKENS|MAX|MIN|NUM|N|COUNT|LIMIT|LEN|LENGTH|SIZE|TIMEOUT|TTL|AGE|SECONDS|BUDGET|PORT)($|_)",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"true|false|enabled|disabled|default|required|optional|(?=.*[-+._])[-+.\d_]{1,15}", re.IGNORECASE
)
_WORD = re.compile(r"(?:[a-z]+|[A-Z]+|[A-Z][a-z]+)(?:[-_ ][A-Za-z]+)*|[\[<].*[\]>]")
_LONGEST_WORD = 20
_hidden: set[str] = set()

_BEGIN = r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtbf]))"
"""Where a word begins, after an escaped character too."""
_NAMED = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|credential|api[-_]?key|(?:access|account|private|secret)[-_]?(?:access[-_]?)?key"
    r"|shared-?access-?(?:key|signature)|(?:access|auth|refresh|session|bearer)[-_]?token)"
)
"""Names of settings that are secrets, wherever they stand."""
_IN_ADDRESS = r"(?:token|key|secret|passw(?:or)?d|pwd|signature|credential|sig|auth|jwt|session)"
KINDS = {
    "credentials in an address": [
        r"(:\\?/\\?/)[^/\s?#\"'<>\\]{1,2000}(?=@)",
        r"(?i)(%3A%2F%2F)(?:(?!%2F|%40)[^/\s?#&\"'<>]){1,500}(?=%40)",
    ],
    "a parameter of an address": [rf"(?i)([?&][\w-]{{0,40}}{_IN_ADDRESS}[\w-]{{0,40}}=)[^&#\s\"'<>]+"],
    "the address of a webhook": [
        r"(?i)(hooks\.(?:slack|zapier)\.com\\?/)[^\s\"'<>]+",
        r"(?i)([/.]webhooks?(?:\.office\.com)?\\?/)[^\s\"'<>]{12,}",
        r"(?i)(api\.telegram\.org\\?/bot)[\w:%-]+",
    ],
    "a header": [
        r"(?i)\b((?:Bearer|Token)\s{1,9})[\w.~+/=-]{20,}",
        r"(?i)\b(Basic\s{1,9})(?=[A-Za-z+/]*+[\d=]|[A-Za-z]*[a-z](?-i:[A-Z]))[\w+/=]{8,}",
        r"(?i)(\b(?:Authorization|(?:X-)?(?:Api-?Key|Auth-?Token))\\?[\"']?\s{0,9}[:=]\s{0,9}\\?[\"']?"
        r"(?:(?:Bearer|Basic|Token|Digest|Negotiate|ApiKey)\s{1,9}|(?=[^\s\"',\\\d]{0,400}+\d)))(?!\[secret)[^\s\"',\\]{6,}",
        r"(?i)(\bCookie\\?[\"']?\s{0,9}:\s{0,9}\\?[\"']?)[^\s=;\"']{1,200}=[^\r\n\"']+",
    ],
    "a setting by its name": [  # after `=` and in quotes whatever it is, after `:` what holds a digit
        rf"(?i)((?<![A-Za-z]){_NAMED}\s?=\s?\\?[\"']?)(?!\[secret|None|null|self\.|os\.|{_NAMED})[^\s;&,\"'\\)]{{3,}}",
        rf"(?i)({_NAMED}\\?[\"']\s{{0,9}}:\s{{0,9}}\\?[\"'])[^\"'\\]+",
        rf"(?i)((?<![A-Za-z]){_NAMED}\s?:\s{{1,9}})(?=[^\s\d]{{0,400}}+\d)[^\s;,\"'\[\]]{{6,}}",
        rf"(?i)(--{_NAMED}\s)[^\s\"']{{3,}}",
    ],
    "a token by its form": [
        rf"{_BEGIN}(?:sk|pk|rk|gsk|xai|pplx|nvapi)[-_](?=[\w-]*\d)[\w-]{{20,}}",
        rf"{_BEGIN}(?:(?:hf|gh[oprsu]|npm)_[A-Za-z0-9]{{16,}}|github_pat_\w{{20,}}|dckr_pat_[\w-]{{16,}})",
        rf"{_BEGIN}(?:glpat-[\w-]{{16,}}|xox[a-z]-[\w-]{{10,}}|pypi-[\w-]{{40,}}|A[KS]IA[0-9A-Z]{{16}}(?!\w)|AIza[\w-]{{35}})",
        rf"{_BEGIN}eyJ[\w-]{{8,}}+\.[\w-]{{8,}}+\.[\w-]*",
        r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?:(?!-----)[\w\s+/=\\:,.-]){1,20000}",
    ],
}  # fmt: skip
"""What is hidden by its form, kind by kind: all of a match but its first group."""
_KNOWN = [(re.compile(pattern), re.compile(pattern).groups) for patterns in KINDS.values() for pattern in patterns]


def hide(variable: str) -> None:
    """From now on, in this process, take what this environment variable holds for a secret, whatever its name."""
    _hidden.add(variable)


def redact(text: str) -> str:
    """The text with every secret in it replaced; other text stays as it is."""
    return _redact(text, _secrets())


def redact_all(value: Any) -> Any:
    """A JSON value with every text in it redacted; keys, numbers, truth values and null stay as they are."""
    return _walk(value, _secrets())


Found = tuple[tuple[str, re.Pattern[str]], ...]


def _redact(text: str, secrets: Found) -> str:
    for secret, pattern in secrets:
        if secret in text:
            text = pattern.sub(HIDDEN, text)
    for pattern, groups in _KNOWN:
        text = pattern.sub(r"\1" * groups + HIDDEN, text)
    return text


def _walk(value: Any, secrets: Found) -> Any:
    if isinstance(value, str):
        return _redact(value, secrets)
    if isinstance(value, dict):
        return {key: _walk(part, secrets) for key, part in value.items()}
    return [_walk(part, secrets) for part in value] if isinstance(value, list | tuple) else value


def _secrets() -> Found:
    """The environment's secrets as they may appear in a text, and what finds each there."""
    return _finders(tuple(sorted({v.strip() for name, v in os.environ.items() if _is_secret(name, v.strip())})))


def _is_secret(name: str, value: str) -> bool:
    if name in _hidden:
        return True
    sure = _SECRET.search(name) is not None
    if not (sure or _LIKELY.search(name)) or _PLACE.search(name) or _SETTING.fullmatch(value):
        return False
    if value.isdigit() and _AMOUNT.search(name):
        return False
    if not sure and len(value) < _LONGEST_WORD and _WORD.fullmatch(value):
        return False
    return not (os.sep in value and os.path.exists(value))


@lru_cache(maxsize=8)
def _finders(values: tuple[str, ...]) -> Found:
    """The longest first, since one may hold another."""
    forms = {form for value in values for form in _forms(value) if len(form) >= LEAST and form.strip("[]") != "secret"}
    return tuple((form, re.compile(_bounded(form))) for form in sorted(forms, key=lambda form: (-len(form), form)))


def _forms(value: str) -> set[str]:
    """A value as texts may show it: quoted for JSON, Python, a shell, HTML or an address, on one line, line by line."""
    lines = [line.strip() for line in value.splitlines()[1:-1]]  # of a key file; its frame is no secret
    found = {value, " ".join(value.split()), *lines}
    for one in list(found):
        encoded = {
            quote(one, safe="", errors="replace"),
            quote(one, errors="replace"),
            quote_plus(one, errors="replace"),
        }
        found |= encoded | {re.sub("%..", lambda code: code[0].lower(), form) for form in encoded}
        in_json = {json.dumps(one, ensure_ascii=ascii)[1:-1] for ascii in (True, False)}
        found |= in_json | {form.replace("/", "\\/") for form in in_json} | {json.dumps(form)[1:-1] for form in in_json}
        found |= {repr(one)[1:-1], repr(one.encode(errors="replace"))[2:-1], shlex.quote(one).strip("'")}
        in_html = html.escape(one)
        found |= {in_html, html.escape(one, quote=False), in_html.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}
    return found


def _bounded(form: str) -> str:
    """A pattern for this text; a weak one stands for itself only where it is a word of its own."""
    pattern = re.escape(form)
    if len(form) >= STRONG and not form.isalpha() and not form.isdigit():
        return pattern
    before = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtbf])|(?<=\\u[0-9a-f]{4})|(?<=\\x[0-9a-f]{2}))"
    return before * bool(re.match(r"\w", form)) + pattern + r"(?!\w)" * bool(re.search(r"\w\Z", form))
