"""What baselines share that are a linear model on features which take no pretrained model.

Such a baseline learns from all labels that the trial might see, wrong ones among them, is tuned on them by the rule
that every regime is tuned by, and is computed once for all models and regimes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts import Context, Part
from bench.store.cache import cached
from bench.suite.trial import Json
from bench.training.cross_validation import best_c, labels_in_all

ITERATIONS = 100

Extract = Callable[[Context, Part, Part], tuple[Any, Any] | None]
"""(context, what is learnt from, what is asked) → features of both, [n, width]; None where there are none."""


def answers(
    context: Context, part: Part, name: str, version: int, extract: Extract, bounds: tuple[float, float]
) -> np.ndarray | None:
    """[1][n], from the cache where it has them; None where there are no features. bounds: of C."""

    def fill(target: Path) -> None:
        train = labels_in_all(context)
        if (found := extract(context, train, part)) is None:
            return
        known, asked = found
        chosen = best_c(context, train, known, *bounds, ITERATIONS)
        solved = context.objective.solve(context, train, known, chosen.value, ITERATIONS)
        np.save(target / "answers.npy", solved.answers(asked))

    kept = cached(name, _key(context, part, version), fill) / "answers.npy"
    return np.load(kept) if kept.exists() else None


def _key(context: Context, part: Part, version: int) -> Json:
    """Everything that determines what is learnt and asked."""
    import sklearn

    trial = context.trial
    return {"version": version, "library": sklearn.__version__, "task": trial.task, "size": trial.size,
            "noise": trial.noise, "validation": trial.validation, "seed": trial.seed, "limits": trial.limits,
            "split": part.split}  # fmt: skip
