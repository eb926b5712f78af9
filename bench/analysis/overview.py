"""One suite as a whole: how its trials ended, what they took, and what they remarked."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from bench.analysis import costs
from bench.analysis.results import Results
from bench.planning import trial_counts
from bench.store import records


@dataclass(frozen=True)
class Overview:
    """`statuses` counts the planned trials that have a record, `trials` all of them by `trial_counts.STATES`; seconds
    cover every attempt at them; remarks: what records note, and of how many trials of which (task, model)."""

    statuses: Counter[str]
    trials: Counter[str]
    seconds: float
    tuning_seconds: float
    remarks: dict[str, Counter[tuple[str, str]]]

    @property
    def open(self) -> int:
        """Those that a run would run."""
        return sum(self.trials[state] for state in ("again", "missing", "waiting"))


def overview(results: Results) -> Overview:
    """Of all environments together."""
    planned = results.plan["trials"]
    attempts = [r for r in results.records if r["trial"]["id"] in planned]
    latest = records.latest(attempts)
    statuses = Counter(str(r["status"]) for r in latest.values())
    trials = trial_counts.total(results.plan["cells"], latest)
    remarks: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for trial, record in latest.items():
        for note in record.get("facts", {}).get("notes", []):
            remarks[str(note)][planned[trial]["task"], planned[trial]["model"]] += 1
    tuning = [r for r in attempts if planned[r["trial"]["id"]]["purpose"] == "tuning"]
    return Overview(statuses, trials, costs.total_seconds(attempts), costs.total_seconds(tuning), dict(remarks))
