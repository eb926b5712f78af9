"""What is known of a metric by its name: its direction and its range."""

from __future__ import annotations

import math

from bench import plugins
from bench.errors import UsageError


def lower_is_better(metric: str) -> bool:
    """Whether a metric says so; not where it is another package's that is not installed here."""
    try:
        return not plugins.load("metrics", metric).HIGHER_IS_BETTER
    except UsageError:
        return False


def score_range(metric: str) -> tuple[float, float]:
    """Its lowest and highest score; without ends where it is another package's that is not installed here."""
    try:
        low, high = plugins.load("metrics", metric).RANGE
    except UsageError:
        return -math.inf, math.inf
    return float(low), float(high)
