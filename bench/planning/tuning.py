"""What tuning tries and what it chooses: the same rule for every regime, each over its own range."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bench import plugins
from bench.store.record import Record
from bench.suite.schema import FIRST_TUNING_SEED, Regime, Suite
from bench.suite.trial import Json, Trial


def searched(regime: Regime) -> Json | None:
    """What tuning searches: the suite's range, or its one value as both ends, or the regime's own range (`default`);
    None where nothing is tuned."""
    tuned = plugins.load("regimes", regime.kind).TUNED
    if tuned is None:
        return None
    name, low, high = tuned
    asked = getattr(regime.parameters, name)
    if isinstance(asked, (int, float)):
        asked = float(asked), float(asked)
    low, high = asked or (low, high)
    return {"parameter": name, "low": low, "high": high, "default": asked is None}


def grid(suite: Suite, regime: Regime, *, smoke: bool) -> list[Json]:
    """The values tuning tries: a log grid over the range, its ends included; its middle where nothing is tuned."""
    over = searched(regime)
    if over is None:
        return []
    name, low, high = over["parameter"], over["low"], over["high"]
    if low == high:
        return [{name: low}]
    count = 1 if smoke else max(1, suite.tuning_trials)
    exponents = [0.5] if count == 1 else [i / (count - 1) for i in range(count)]
    return [{name: float(f"{low ** (1 - e) * high**e:.6g}")} for e in exponents]


def seeds(suite: Suite, values: list[Json]) -> range:
    """The seeds each value is tried with; none where there is nothing to choose from."""
    return range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + suite.tuning_seeds) if len(values) > 1 else range(0)


def winner(values: list[Json], trials: list[Trial], latest: Mapping[str, Record]) -> int | None:
    """The index of the value with the best mean validation score; of equal scores, with the lowest log-loss, one
    that could not be measured counting as the highest."""
    per_value = len(trials) // len(values)
    ranked = []
    for index in range(len(values)):
        records = [latest.get(t.id) for t in trials[index * per_value : (index + 1) * per_value]]
        ok = [r for r in records if r is not None and r["status"] == "ok" and r["scores"].get("validation")]
        if len(ok) == per_value:
            metric = ok[0]["scores"]["metric"]
            score = sum(r["scores"]["validation"][metric] for r in ok) / per_value
            loss = sum(r["scores"]["validation"].get("log_loss", math.inf) for r in ok) / per_value
            cost = -score if plugins.load("metrics", metric).HIGHER_IS_BETTER else score
            ranked.append((cost, loss, index))
    return min(ranked)[2] if ranked else None
