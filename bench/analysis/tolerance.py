"""The smallest difference of two scores that matters: what the suite says, else what goes with the metric's scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench import plugins
from bench.errors import UsageError

SHARE = 0.01
"""Of a scale with two ends."""
RELATIVE = 0.02
"""Of a score without an upper end, or of its logarithm."""
Said = float | Mapping[str, float] | None


def said(plan: Mapping[str, Any]) -> Said:
    """What a suite says of it, by its plan. Plans of before protocol 2 hold .01 where the suite said nothing."""
    found = plan.get("tolerance")
    return None if "protocol" not in plan and found == SHARE else found


def tolerance(metric: str, asked: Said, best: float) -> float:
    """The tolerance of a metric, in its own unit.

    asked: one number for every metric, or {metric: number}, or None. A metric that is not named has its own TOLERANCE,
    else one by its RANGE: of [0, 1] and [-1, 1] .01, of [0, 100] 1; without an upper end 2 % of the best score, which
    alone needs `best`; of a ratio that begins at 1, as perplexity, 2 % of its logarithm: best^1.02 - best.
    """
    if isinstance(asked, Mapping):
        asked = asked.get(metric)
    if asked is not None:
        return float(asked)
    try:
        plugin = plugins.load("metrics", metric)
    except UsageError:  # another package's, that is not installed here
        return SHARE
    if plugin.TOLERANCE is not None:
        return float(plugin.TOLERANCE)
    low, high = plugin.RANGE
    if math.isfinite(high):
        return SHARE * high
    return float(best ** (1 + RELATIVE) - best) if low == 1 else RELATIVE * abs(best)


def words(metric: str, asked: Said) -> str:
    """The tolerance in words: `0.01`, `2 % of its logarithm`."""
    one, two = (tolerance(metric, asked, best) for best in (1.0, 2.0))
    if one == two:
        return f"{one:g}"
    return f"{RELATIVE:.0%}".replace("%", " %") + (" of its logarithm" if one == 0 else " of the score")
