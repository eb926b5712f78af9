"""One suite as a whole: how its trials ended, what they took, and what they remarked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bench.analysis import costs
from bench.analysis.frame import Results
from bench.runner.account import INFRASTRUCTURE
from bench.store import records


@dataclass(frozen=True)
class Overview:
    """`trials` counts the planned ones by status, `missing` among them; seconds cover every attempt at them."""

    trials: Counter[str]
    seconds: float
    tuning_seconds: float
    remarks: Counter[str]

    @property
    def planned(self) -> int:
        """All trials, those that wait included."""
        return self.trials.total()

    @property
    def done(self) -> int:
        """Those that no run would try again."""
        return self.planned - sum(self.trials[status] for status in ("missing", *INFRASTRUCTURE))


def overview(results: Results) -> Overview:
    """Of all environments together. Cells that wait for tuning count as their seeds."""
    planned = results.plan["trials"]
    attempts = [r for r in results.records if r["trial"]["id"] in planned]
    latest = records.latest(attempts)
    trials = Counter(str(r["status"]) for r in latest.values())
    unplanned = (c["seeds"] for c in results.plan["cells"] if c["state"] in ("waiting", "unresolved"))
    trials["missing"] = len(planned) - len(latest) + sum(unplanned)
    remarks = Counter(str(note) for r in latest.values() for note in (r.get("facts") or {}).get("notes") or [])
    tuning = [r for r in attempts if planned[r["trial"]["id"]]["purpose"] == "tuning"]
    return Overview(trials, costs.total_seconds(attempts), costs.total_seconds(tuning), remarks)
