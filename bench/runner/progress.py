"""How a run is going: live lines on a terminal, one plain line per trial elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from bench.runner.devices import Slot
from bench.suite.trial import Json, Trial


class Lines:
    """One plain line per finished trial; also keeps the counts and the estimate the live view shows."""

    def __init__(self, console: Console, slots: int) -> None:
        self.console = console
        self.statuses: Counter[str] = Counter()
        self.total = self.finished = 0
        self._slots = slots
        self._seconds: list[float] = []

    def planned(self, total: int, finished: int, waiting: int) -> None:
        """Take over the counts."""
        self.total, self.finished = total, finished

    def started(self, slot: Slot, trial: Trial) -> None:
        """Nothing to say yet."""

    def moved(self, slot: Slot, stage: str, done: int, total: int | None) -> None:
        """Too much to say."""

    def ended(self, slot: Slot, trial: Trial, record: Json) -> None:
        """One line, with the score or the cause."""
        self.statuses[record["status"]] += 1
        self.finished += 1
        seconds = record.get("costs", {}).get("seconds", {}).get("total", 0.0)
        self._seconds.append(seconds)
        left = f", about {span(eta)} left" if (eta := self.eta()) else ""
        line = f"[{self.finished}/{self.total}] {describe(trial)}: {outcome(record)} ({seconds:.1f} s){left}"
        self._print(self.console, line)

    def note(self, text: str) -> None:
        """A line of its own."""
        self._print(self.console, printable(text))

    @staticmethod
    def _print(console: Console, line: str) -> None:
        """Whether it can be read must not decide over the run: a full disk, a closed pipe (rich exits for that)."""
        with contextlib.suppress(OSError, SystemExit):
            console.print(Text(line), soft_wrap=True)

    def eta(self) -> float:
        """Seconds until the end, if trials go on taking what they took on average."""
        if not self._seconds:
            return 0.0
        return sum(self._seconds) / len(self._seconds) * (self.total - self.finished) / self._slots

    def close(self) -> None:
        """Nothing to put away."""


class Live(Lines):
    """A bar for the whole run and a line per slot, redrawn in place; failures are printed above and stay."""

    def __init__(self, console: Console, slots: list[Slot]) -> None:
        super().__init__(console, len(slots))
        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False), console=console, transient=True,
        )  # fmt: skip
        self._all: TaskID = self._progress.add_task("trials", total=None, note="")
        self._lines = {slot.name: self._progress.add_task(slot.name, total=None, note="") for slot in slots}
        self._begun = time.monotonic()
        self._progress.start()

    def planned(self, total: int, finished: int, waiting: int) -> None:
        """Update the bar."""
        super().planned(total, finished, waiting)
        note = f"{waiting} wait for tuning" if waiting else ""
        if eta := self.eta():
            note += f"  about {span(eta)} left"
        self._progress.update(self._all, total=total, completed=finished, note=note)

    def started(self, slot: Slot, trial: Trial) -> None:
        """Name the trial on its slot's line."""
        self._progress.reset(self._lines[slot.name], total=None)
        self._progress.update(self._lines[slot.name], note=describe(trial))

    def moved(self, slot: Slot, stage: str, done: int, total: int | None) -> None:
        """Move the slot's bar."""
        self._progress.update(self._lines[slot.name], completed=done, total=total, description=f"{slot.name} {stage}")

    def ended(self, slot: Slot, trial: Trial, record: Json) -> None:
        """Only what did not go well is worth a lasting line."""
        self.statuses[record["status"]] += 1
        self._seconds.append(record.get("costs", {}).get("seconds", {}).get("total", 0.0))
        if record["status"] != "ok":
            self._print(self._progress.console, f"{describe(trial)}: {outcome(record)}")

    def note(self, text: str) -> None:
        """A line above the bars, which stays."""
        self._print(self._progress.console, printable(text))

    def close(self) -> None:
        """Take the live lines away."""
        self._progress.stop()


def describe(trial: Trial) -> str:
    """A trial in a few words."""
    names = trial.names
    parts = [names.task, names.model, names.regime]
    if trial.size:
        parts.append(f"size {trial.size}")
    if trial.noise:
        parts.append(f"noise {trial.noise:g}")
    tuned = ", ".join(f"{k} {v:g}" for k, v in trial.tuned.items())
    if trial.size:
        parts.append(f"tuning {tuned}" if trial.purpose == "tuning" else f"seed {trial.seed}")
    return " · ".join(parts)


def outcome(record: Json) -> str:
    """A record in a few words."""
    if record["status"] != "ok":
        return f"{record['status']}: {printable(record['cause'])}"
    scores = record["scores"]
    split = "test" if "test" in scores else "validation"
    return f"{scores['metric']} {scores[split][scores['metric']]:.3f}" + (
        " (validation)" if split == "validation" else ""
    )


def printable(text: object) -> str:
    """One line that does not drive the terminal, whatever an exception said."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
