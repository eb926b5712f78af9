"""How a run is going: live lines on a terminal, one plain line per trial elsewhere."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from bench.execution.executor import Slot
from bench.planning.estimate import span
from bench.planning.plan import Cell
from bench.printable import printable
from bench.store.record import Record
from bench.suite.trial import Trial


class Lines:
    """One plain line per finished trial; also keeps the counts and the estimate the live view shows."""

    def __init__(self, console: Console, slots: int) -> None:
        self.console = console
        self.statuses: Counter[str] = Counter()
        self.total = self.finished = 0
        self.left: float | None = None

    def planned(self, total: int, finished: int, left: float | None = None) -> None:
        """Keep the counts, and the seconds that are left where they are known."""
        self.total, self.finished, self.left = total, finished, left

    def started(self, slot: Slot, trial: Trial) -> None:
        """Not shown: its end is."""

    def moved(self, slot: Slot, stage: str, done: int, total: int | None) -> None:
        """Not shown: there would be too many lines."""

    def ended(self, slot: Slot, trial: Trial, record: Record) -> None:
        """One line, with the score or the cause."""
        self.statuses[record["status"]] += 1
        seconds = record.get("costs", {}).get("seconds", {}).get("total", 0.0)
        left = f", about {span(self.left)} left" if self.left else ""
        line = f"[{self.finished}/{self.total}] {describe(trial)}: {outcome(record)} ({seconds:.1f} s){left}"
        tell(self.console, line)

    def complete(self, cell: Cell, records: Sequence[Record]) -> None:
        """Its score, where no trial's line has said it."""
        if len(records) != 1 or records[0]["trial"].get("tuned"):
            tell(self.console, score(cell, records))

    def note(self, text: str) -> None:
        """A line of its own."""
        tell(self.console, printable(text))

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
        self._progress.start()

    def planned(self, total: int, finished: int, left: float | None = None) -> None:
        """Update the bar."""
        super().planned(total, finished, left)
        note = f"about {span(left)} left" if left else ""
        self._progress.update(self._all, total=total, completed=finished, note=note)

    def started(self, slot: Slot, trial: Trial) -> None:
        """Name the trial on its slot's line."""
        self._progress.reset(self._lines[slot.name], total=None)
        self._progress.update(self._lines[slot.name], note=describe(trial))

    def moved(self, slot: Slot, stage: str, done: int, total: int | None) -> None:
        """Move the slot's bar."""
        self._progress.update(self._lines[slot.name], completed=done, total=total, description=f"{slot.name} {stage}")

    def ended(self, slot: Slot, trial: Trial, record: Record) -> None:
        """A line above the bars for what did not end well."""
        self.statuses[record["status"]] += 1
        if record["status"] != "ok":
            tell(self._progress.console, f"{describe(trial)}: {outcome(record)}")

    def complete(self, cell: Cell, records: Sequence[Record]) -> None:
        """Its score, above the bars, where it stays."""
        tell(self._progress.console, score(cell, records))

    def note(self, text: str) -> None:
        """A line above the bars, which stays."""
        tell(self._progress.console, printable(text))

    def close(self) -> None:
        """Take the live lines away."""
        self._progress.stop()


def score(cell: Cell, records: Sequence[Record]) -> str:
    """A cell in a few words, with the mean of its seeds, when all of them have ended."""
    place = " · ".join(_place(cell))
    ok = [record["scores"] for record in records if record["status"] == "ok"]
    if not ok:
        return f"{place}: no score"
    metric = ok[0]["metric"]
    mean = sum(scores["test"][metric] for scores in ok) / len(ok)
    seeds = f"{len(ok)} seed{'s' * (len(ok) > 1)}" if len(ok) == len(records) else f"{len(ok)} of {len(records)} seeds"
    return f"{place}: {metric} {mean:.3f}" + (f" (mean of {seeds})" if len(records) > 1 else "")


def tell(console: Console, line: str) -> None:
    """Print a line. A full disk or a closed pipe (for which rich exits) does not end the run."""
    with contextlib.suppress(OSError, SystemExit):
        console.print(Text(line), soft_wrap=True)


def _place(one: Cell | Trial) -> list[str]:
    """Where in the suite's tables a cell or a trial stands."""
    size = [f"size {one.size}"] if one.size else []
    noise = [f"noise {one.noise:g}"] if one.noise else []
    return [one.names.task, one.names.model, one.names.regime, *size, *noise]


def describe(trial: Trial) -> str:
    """A trial in a few words."""
    parts = _place(trial)
    tuned = ", ".join(f"{k} {v:g}" for k, v in trial.tuned.items())
    if trial.size:
        parts.append(f"seed {trial.seed}")
    if tuned:
        parts.append(tuned)
    return " · ".join(parts)


def outcome(record: Record) -> str:
    """A record in a few words."""
    if record["status"] != "ok":
        return f"{record['status']}: {printable(record['cause'])}"
    scores = record["scores"]
    metric, held_out = scores["metric"], scores.get("validation")
    if record["trial"].get("tuned") and held_out:  # one of a seed's candidates: its test score is not looked at
        return f"{metric} {held_out[metric]:.3f} (validation)"
    return f"{metric} {scores['test'][metric]:.3f}"
