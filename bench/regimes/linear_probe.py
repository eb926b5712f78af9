"""Solve a linear model on the frozen model's features: a logistic regression, or for numbers a ridge regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bench.contracts import Adapted, Predictions, Regime
from bench.errors import Diverged
from bench.suite.parameters import Range, RegimeParameters, Tuned

if TYPE_CHECKING:
    import numpy as np
    from sklearn.preprocessing import StandardScaler

    from bench.contracts import Context, Part, Prepared
    from bench.probes.ledger import Ledger

ITERATIONS = 1000


class LinearProbeParameters(RegimeParameters):
    """C: the inverse strength of the L2 penalty on standardised features."""

    C: Range | None = Field(None, description="one value, or [low, high] to tune within; null: the default")


class LinearProbe(Regime[LinearProbeParameters]):
    """A linear model on frozen features."""

    VERSION = 1
    Parameters = LinearProbeParameters
    TUNED = Tuned("C", 1e-3, 1e1, within=True)
    POOLED = True

    def adapt(self, context: Context, ledger: Ledger, parameters: LinearProbeParameters) -> Adapted:
        """Fit on the train part's features, which are computed once per model and task; where C is to be tuned, by
        cross-validation, on those of all labels."""
        from sklearn.preprocessing import StandardScaler

        from bench.probes.heartbeat import working
        from bench.training.cross_validation import best_c, labels_in_all

        fixed, features = context.trial.tuned.get("C"), context.features
        part = context.parts["train"] if fixed is not None else labels_in_all(context)
        width = features.frozen(part.split).shape[1]
        others = [name for name in context.parts if name not in ("train", "validation", "test")]
        for name in (*others, "validation", "test"):
            features.frozen(context.parts[name].split)  # now, so that their stages time the probe alone
        scaler = StandardScaler()
        choice = None
        with ledger.stage("train"), working(lambda: context.tick("train", 0, None)):
            scaled = scaler.fit_transform(_features(context, part))
            if fixed is None:
                assert isinstance(parameters.C, tuple), "planning names the bounds"
                choice = best_c(context, part, scaled, *parameters.C, ITERATIONS)
            C = context.trial.tuned["C"] if choice is None else choice.value
            solved = context.objective.solve(context, part, scaled, C, ITERATIONS)
        ledger.charge("train", features.seconds(part))

        def predict(part: Part, prepared: Prepared | None = None) -> Predictions:
            return Predictions(solved.answers(scaler.transform(_features(context, part))))

        count = (width + 1) * max(len(context.labels), 1)
        return Adapted(
            predict,
            trainable=count,
            total=features.backbone_parameters + count,
            stored_bytes=4 * (count + 2 * width),
            head=None if solved.linear is None else _unscaled(scaler, *solved.linear),
            choice=choice,
            notes=tuple(solved.notes),
        )


def _unscaled(scaler: StandardScaler, weights: np.ndarray, biases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A head on standardised features as one on the features themselves."""
    own = weights / scaler.scale_
    return own, biases - own @ scaler.mean_


def _features(context: Context, part: Part) -> np.ndarray:
    """A part's features, float64 [n, width]. Raises Diverged where one is no finite number."""
    import numpy as np

    rows: np.ndarray = np.asarray(context.features.frozen(part.split)[part.indices], dtype=np.float64)
    lost = int((~np.isfinite(rows)).any(axis=1).sum())
    if lost:
        raise Diverged(f"the frozen model's features are not finite numbers for {lost} of {len(rows)} examples")
    return rows
