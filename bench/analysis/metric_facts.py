"""What is known of a metric by its name: its direction and its range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench import plugins
from bench.errors import UsageError
from bench.store.record import Record


class Facts(NamedTuple):
    """Which way a metric is better, and its lowest and highest score, which may be infinite."""

    lower_is_better: bool
    range: tuple[float, float]


def facts(metric: str, records: Sequence[Record] = ()) -> Facts:
    """What the records say of it, else its plugin; higher is better, without ends, where neither is there: of another
    package's metric that is not installed here, in records of earlier versions."""
    told: Any = next((found for r in records if (found := r["scores"].get("metrics", {}).get(metric))), None)
    if told is not None and len(told["range"]) == 2:
        low, high = told["range"]
        ends = (-math.inf if low is None else float(low), math.inf if high is None else float(high))
        return Facts(bool(told["lower_is_better"]), ends)
    try:
        plugin = plugins.load("metrics", metric)
    except UsageError:
        return Facts(False, (-math.inf, math.inf))
    low, high = plugin.RANGE
    return Facts(not plugin.HIGHER_IS_BETTER, (float(low), float(high)))


def lower_is_better(metric: str) -> bool:
    """Whether a metric's plugin says so."""
    return facts(metric).lower_is_better
