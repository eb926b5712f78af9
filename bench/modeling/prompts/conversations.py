"""Conversations as prompts: several turns, of which the last is the user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from bench.errors import DataError

ROLES = ("system", "user", "assistant")


class Turn(NamedTuple):
    """role: one of ROLES."""

    role: str
    content: str


Dialogue: TypeAlias = tuple[Turn, ...]
Source: TypeAlias = str | Dialogue


def is_one(value: Any) -> bool:
    """Whether a value of a data set is a list of messages: [{role, content}, …]."""
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(turn, dict) for turn in value)


def read(value: Any, last: str, place: str) -> Dialogue:
    """A list of messages as turns, the last of them by `last`, a system's at most first. Raises DataError."""
    turns = []
    for number, message in enumerate(value if is_one(value) else ()):
        role, content = (message or {}).get("role"), (message or {}).get("content")
        if role not in ROLES or not isinstance(content, str) or (role == "system" and number):
            raise DataError(
                f"{place}, message {number}: expected {{role, content}}, the role one of {', '.join(ROLES)} (system "
                f"only first) and the content a text; found {str(message)[:60]}"
            )
        turns.append(Turn(role, content))
    if not turns or turns[-1].role != last:
        found = f"one by the {turns[-1].role}" if turns else "none"
        raise DataError(f"{place}: the last message must be by the {last}, found {found}; leave the row out")
    return tuple(turns)


def asked(source: Source) -> str:
    """What is asked: the text, or a conversation's last turn."""
    return source if isinstance(source, str) else source[-1].content


def asking(source: Source, text: str) -> Source:
    """The source with another text for what is asked."""
    return text if isinstance(source, str) else (*source[:-1], source[-1]._replace(content=text))


def later(source: Dialogue) -> Dialogue:
    """Without the first exchange after the system's turn; the same where there is one exchange alone."""
    start = 1 if source[0].role == "system" else 0
    users = [i for i, turn in enumerate(source) if turn.role == "user" and i > start]
    return (*source[:start], *source[users[0] :]) if users else source


def plain(source: Dialogue) -> str:
    """For a model without a chat template: a line a turn, `User: …` or `Assistant: …`, and `Assistant:` at the end."""
    return "".join(f"{role.capitalize()}: {content}\n" for role, content in source) + "Assistant:"
