"""In which order trials run: what is cheap first, and one cell after another to its score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench import plugins
from bench.planning.estimate import Estimator
from bench.planning.plan import Cell, Plan
from bench.store.record import Record
from bench.suite.trial import Names, Trial

Place = tuple[Names, int | str, float]


def turns(plan: Plan, latest: Mapping[str, Record], estimator: Estimator) -> dict[Place, int]:
    """Each cell's turn: those begun earlier come first, then those that need no labels, that train nothing by gradient,
    and the others; of alike ones the one that takes least."""

    def key(numbered: tuple[int, Cell]) -> tuple[bool, int, float, int]:
        number, cell = numbered
        begun = any(trial.id in latest for trial in cell.trials)
        module = plugins.load("regimes", plan.suite.regimes[cell.names.regime].kind)
        return not begun, 0 if not module.LABELS else 2 if module.TRAINS else 1, estimator.cell(cell), number

    return {cell.place: turn for turn, (_, cell) in enumerate(sorted(enumerate(plan.cells), key=key))}


def queue(cells: Iterable[Cell], turns: Mapping[Place, int]) -> dict[str, Trial]:
    """All known trials by id, cell by cell as their turns come, tuning before what is reported."""
    found: dict[str, Trial] = {}
    for cell in sorted(cells, key=lambda cell: turns[cell.place]):
        for trial in cell.trials:
            found.setdefault(trial.id, trial)
    return found
