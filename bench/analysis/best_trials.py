"""Which trial's model is worth keeping: of each task and model, at the most labels and clean ones, the verdict's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.analysis import frame
from bench.analysis.column import Column
from bench.analysis.results import Results, scored
from bench.analysis.verdict.decision import decide
from bench.store.record import Record


class Choice(NamedTuple):
    """regime: the verdict's, or while that is undecided the one that looks best, empty where none is named; record: of
    the seed with the best validation score, None where the regime is a baseline or has none; decided: whether the
    verdict is."""

    task: str
    model: str
    regime: str
    record: Record | None
    decided: bool


def choose(results: Results) -> Iterator[Choice]:
    """A choice for each task and model that has scores. Of several environments that with the most records says."""
    found: dict[tuple[str, str], Column] = {}
    order = {environment: n for n, environment in enumerate(results.environments)}
    for column in frame.columns([results]):
        key, known = (column.task, column.model), found.get((column.task, column.model))
        if known is None or _rank(column, order) > _rank(known, order):
            found[key] = column
    for (task, model), column in found.items():
        verdict = decide(column)
        regime = verdict.guess or ""
        yield Choice(task, model, regime, _record(results, column, regime), verdict.decided)


def _rank(column: Column, order: dict[str, int]) -> tuple[float, ...]:
    return -order.get(column.environment, len(order)), -column.noise, frame.size_order(column.size)


def _record(results: Results, column: Column, regime: str) -> Record | None:
    """The attempt with the best validation score, the lowest seed of several."""
    sign = -1.0 if column.lower_is_better else 1.0
    for place in results.places:
        cell = place.cell
        at = (cell["task"], cell["model"], cell["regime"], place.environment)
        if at != (column.task, column.model, regime, column.environment):
            continue
        if cell["size"] == 0 or (cell["size"], float(cell["noise"])) == (column.size, column.noise):
            ok = sorted(scored(place), key=lambda r: int(r["trial"]["seed"]))
            worst = -sign * 1e100
            return max(
                ok, key=lambda r: sign * r["scores"].get("validation", {}).get(column.metric, worst), default=None
            )
    return None
