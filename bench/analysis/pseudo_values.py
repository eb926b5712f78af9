"""Every example's pseudo-value, of any metric, from stored answers: see `bench.trial.pseudo_values`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench import plugins
from bench.analysis import answers
from bench.analysis.outcomes import Outcomes, agree
from bench.errors import UsageError
from bench.trial.pseudo_values import PseudoValues, pseudo_values


def recomputed(path: Path, metric: str, score: float) -> Outcomes | None:
    """What files of earlier versions do not hold: the pseudo-values of a metric that is no mean over examples.

    None where the metric is another package's that is not installed here, or cannot judge what the file holds. Raises
    FileNotFoundError, and ValueError saying what is wrong with the file or that the score is not that of its answers.
    """
    try:
        plugin = plugins.load("metrics", metric)
    except UsageError:
        return None
    kept = answers.read(path)
    if kept.kind != plugin.TAKES:
        return None
    try:
        with np.errstate(all="ignore"):
            found: list[PseudoValues] = [pseudo_values(plugin, kept.targets, one) for one in kept.answers]
    except Exception:  # a plugin's own, on answers that nobody has checked
        return None
    values = np.mean([one.values for one in found], axis=0)
    if not np.isfinite(values).all():
        return None
    if not agree(float(values.mean()), score):
        raise ValueError(f"gives {metric} {values.mean():.6g}, its record says {score}")
    return Outcomes(kept.examples, values, found[0].groups)
