"""A validation score taken apart, so that two of them can be compared in pairs: a delete-a-group jackknife.

What a record keeps of it is at most 40 numbers, whatever the metric and however many labels are held out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import plugins

GROUPS = 40


def pseudo_values(metric: str, targets: Any, answers: Any) -> list[float]:
    """G θ - (G - 1) θ without a group, of each of G groups of examples (Quenouille 1956; Kott 1998): their mean is the
    score, or about, and of a mean over examples each is a group's own mean. Groups are of every G-th example, so that
    they are the same for whoever answers the same part; each example is one where there are no more than 40.

    targets, answers: as `Metric.score` takes them, answers [templates][n]: the mean over templates. [] for fewer than
    two examples.
    """
    found = [_of_one(metric, targets, one) for one in answers]
    return np.mean(found, axis=0).round(7).tolist() if found and found[0] else []


def _of_one(metric: str, targets: Any, answers: Any) -> list[float]:
    plugin, count = plugins.load("metrics", metric), len(answers)
    groups = min(count, GROUPS)
    if groups < 2:
        return []
    of = np.arange(count) % groups
    if plugin.PER_EXAMPLE:
        outcomes = np.asarray(plugin.outcomes(targets, answers), dtype=np.float64)
        sizes = np.bincount(of)
        without = (outcomes.sum() - np.bincount(of, outcomes)) / (count - sizes)
        whole = float(outcomes.mean())
    else:
        kept = [np.flatnonzero(of != group) for group in range(groups)]
        without = np.array([plugin.score(_take(targets, rows), _take(answers, rows)) for rows in kept])
        whole = float(plugin.score(targets, answers))
    values = groups * whole - (groups - 1) * without
    return values.tolist() if np.isfinite(values).all() else []


def _take(values: Any, rows: np.ndarray) -> Any:
    """Those rows of targets or answers, which may be None."""
    if values is None or isinstance(values, np.ndarray):
        return None if values is None else values[rows]
    return [values[row] for row in rows]
