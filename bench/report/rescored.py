"""What `bench rescore` computed, as a table."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bench.printable import printable
from bench.report.numbers import NONE, score
from bench.report.table import Table, cells

if TYPE_CHECKING:
    from bench.analysis.rescore import Rescoring

CELL = ("task", "model", "regime", "size", "noise", "environment", "on")


def table(found: Rescoring) -> Table:
    """A row for each cell: the mean over its seeds, and what the records say of the same metric."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in found.rows:
        groups[tuple(row[key] for key in CELL)].append(row)
    rows = []
    for (task, model, regime, size, noise, _, on), group in groups.items():
        recorded = [row["recorded"] for row in group if row["recorded"] is not None]
        before = score(fmean(recorded)) if recorded else NONE
        names = map(printable, (f"{task}: {on}" if on else task, model, regime, size, f"{noise:g}"))
        rows.append(cells(*names, score(fmean(row["score"] for row in group)), before, len(group)))
    metric = found.rows[0]["metric"]
    head = ["task", "model", "regime", "size", "noise", metric, "recorded", "seeds"]
    return Table(f"{printable(found.suite)}: {metric} from kept predictions", head, "lllrrrrr", rows, name="rescored")
