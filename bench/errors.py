"""The exception tree and the exit codes.

BenchError                    anything a user can mend; its text says place, cause and way out
├── UsageError      exit 2    a command or call that asks for something impossible
│   ├── SuiteError            the suite file is wrong (every problem at once)
│   ├── DataError             data that is missing, unreadable or not as the suite says
│   ├── ModelError            a model that is missing, unreadable or unfit
│   └── HubError              the Hub cannot be reached
├── StoreError      exit 3    records cannot be read or written
└── TrialError                shows while one trial runs and becomes that trial's record
    ├── NotApplicable         the model has no way to do this
    └── Diverged              losses, features or outputs stopped being finite numbers
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOST_HINTS = 100
"""No suggestion is made among more words than this: finding the nearest takes too long, and a list is no help."""
EXIT_OK = 0
EXIT_TRIALS_FAILED = 1
EXIT_USAGE = 2
EXIT_STORE = 3
EXIT_INTERRUPTED = 130


class BenchError(Exception):
    """Base of everything a user can mend."""

    exit_code = EXIT_TRIALS_FAILED


class UsageError(BenchError):
    """The command, suite, data or model asked for cannot be had."""

    exit_code = EXIT_USAGE


class SuiteError(UsageError):
    """The suite file is wrong. `problems` holds one `file:line: path: problem` each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DataError(UsageError):
    """Data is missing, unreadable or not as the suite says."""


class ModelError(UsageError):
    """A model is missing, unreadable or unfit for what the suite asks of it."""


class HubError(UsageError):
    """The Hub cannot be reached and what is wanted is not in the local cache."""


class StoreError(BenchError):
    """Records cannot be read or written."""

    exit_code = EXIT_STORE


class TrialError(BenchError):
    """Something that only shows while a trial runs; it becomes that trial's record."""


class NotApplicable(TrialError):
    """The model has no way to do what the regime asks."""


class Diverged(TrialError):
    """A loss, a feature or an output is no finite number."""


def to_json(error: BenchError) -> dict[str, Any]:
    """An error as it crosses from one process to another: its classes, nearest first, its message, and those of its
    attributes that JSON can hold."""
    classes = [[kind.__module__, kind.__qualname__] for kind in type(error).__mro__ if issubclass(kind, BenchError)]
    attributes = {}
    for name, value in vars(error).items():
        with contextlib.suppress(TypeError, ValueError):
            attributes[name] = json.loads(json.dumps(value, allow_nan=False))
    return {"classes": classes, "message": str(error), "attributes": attributes}


def from_json(found: Mapping[str, Any]) -> BenchError:
    """The error that `to_json` described: of its own class where that can be imported here and shows the same message,
    else of its nearest base class that does. Attributes that were tuples or lists are tuples."""
    message = str(found["message"])
    for module, name in found["classes"]:
        with contextlib.suppress(Exception):  # the class lies in no module that can be imported here
            place: Any = importlib.import_module(module)
            kind = functools.reduce(getattr, name.split("."), place)
            if isinstance(kind, type) and issubclass(kind, BenchError):
                error = kind.__new__(kind, message)  # its __init__ may take something else than a message
                for key, value in found["attributes"].items():
                    vars(error)[key] = tuple(value) if isinstance(value, list) and key != "__notes__" else value
                if str(error) == message:
                    return error
    return BenchError(message)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or the known words where none is near."""
    known = sorted(known)
    if len(known) > MOST_HINTS:
        return ""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(known)}" if known else ""
