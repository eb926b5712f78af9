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

import difflib
from collections.abc import Iterable, Sequence

MOST_HINTS = 100
"""Among more words than this nobody is told the nearest: finding it takes too long, and the list is no help."""
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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or the known words where none is near."""
    known = sorted(known)
    if len(known) > MOST_HINTS:
        return ""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(known)}" if known else ""
