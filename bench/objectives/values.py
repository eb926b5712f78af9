"""A number: one output on pooled features, trained by its squared error in the training values' standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts import Baseline, Context, Objective, Part, Predictions, Solved
from bench.objectives.classes import head_outputs, pooled_classifier

if TYPE_CHECKING:
    from bench.modeling.heads.classifier import Classifier
    from bench.training.loss import Goal


class Values(Objective):
    """One number an example."""

    VERSION = 1
    ANSWERS = "values"
    POOLED = NOISE = True

    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Classifier:
        """As for classes, with one output."""
        return pooled_classifier(context, 1, pretrained=pretrained, frozen=frozen)

    def blocks(self, model: Classifier) -> Any:
        """The backbone's outermost stack of blocks, or None."""
        from bench.modeling.heads.classifier import blocks

        return blocks(model.backbone)

    def goal(self, context: Context, part: Part) -> Goal:
        """Mean squared error over examples, of values less the train part's mean, over its standard deviation."""
        import torch

        from bench.modeling.encoding.arrays import send
        from bench.training.loss import Goal

        encoded = context.features.encoded(part.split)
        mean, deviation = self._scale(context)
        wanted = torch.from_numpy((self.targets(context, part) - mean) / deviation).float()

        def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
            found = model(encoded.batch(part.indices[rows], context.device)).float().squeeze(-1)
            return torch.nn.functional.mse_loss(found, send(wanted[rows], context.device), reduction="sum")

        return Goal(loss, np.ones(len(wanted), dtype=np.int64), np.asarray(encoded.lengths)[part.indices])

    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """In the values' own unit, float64 [1, n]."""
        mean, deviation = self._scale(context)
        found = head_outputs(context, model, part, lambda output: output)
        return Predictions(found.astype(np.float64).T * deviation + mean)

    def solve(self, context: Context, part: Part, features: Any, C: float, iterations: int) -> Solved:
        """A ridge regression, whose penalty 1/C weighs as C does in a logistic regression: values, float64 [1, n]."""
        from sklearn.linear_model import Ridge

        solver = Ridge(alpha=1 / C).fit(features, self.targets(context, part))
        mean, deviation = self._scale(context)
        linear = solver.coef_[None] / deviation, np.array([(solver.intercept_ - mean) / deviation])
        return Solved(lambda rows: solver.predict(rows).astype(np.float64)[None], [], linear)

    def targets(self, context: Context, part: Part) -> np.ndarray:
        """float64 [n]."""
        found: np.ndarray = _values(context, part.split)[part.labels]
        return found

    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """mean: always the training pool's mean; tf-idf: a ridge regression on words."""
        from bench.training.tf_idf import tf_idf

        return {
            "mean": lambda: np.full((1, len(part.labels)), _values(context, "train").mean()),
            **tf_idf(context, part),
        }

    def lost(self, answers: np.ndarray) -> np.ndarray:
        """Where there is a NaN or an infinity."""
        found: np.ndarray = ~np.isfinite(answers).all(axis=0)
        return found

    def constant(self, answers: np.ndarray) -> bool:
        """Whether several examples all got the same number."""
        return answers.shape[1] > 1 and bool((np.ptp(answers, axis=1) == 0).all())

    def doubt(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """Mean squared error."""
        return float(np.square(answers[0] - targets).mean())

    def columns(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
        """value, answer."""
        return {"value": np.tile(targets, len(answers)), "answer": answers.reshape(-1)}

    def _scale(self, context: Context) -> tuple[float, float]:
        """The train part's mean, and its standard deviation, or 1 where its values are all alike."""
        known = self.targets(context, context.parts["train"])
        return float(known.mean()), float(known.std()) or 1.0


def _values(context: Context, split: str) -> np.ndarray:
    """Every value of a split, float64."""
    return np.array(context.examples(split).targets, dtype=np.float64)
