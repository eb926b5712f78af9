"""Any number of labels: one output each on pooled features, trained by binary cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts import Baseline, Context, Objective, Part, Predictions, Solved
from bench.metrics.micro_f1 import given_labels
from bench.objectives.classes import head_outputs, logistic, pooled_classifier

if TYPE_CHECKING:
    from bench.modeling.heads.classifier import Classifier
    from bench.training.loss import Goal

LEAST = 1e-12
"""The lowest probability of which a logarithm is taken."""


class LabelSets(Objective):
    """Any number of labels an example."""

    VERSION = 1
    ANSWERS = "label-sets"
    POOLED = NOISE = True

    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Classifier:
        """A classifier with an output for each label."""
        return pooled_classifier(context, len(context.labels), pretrained=pretrained, frozen=frozen)

    def blocks(self, model: Classifier) -> Any:
        """The backbone's outermost stack of blocks, or None."""
        from bench.modeling.heads.classifier import blocks

        return blocks(model.backbone)

    def goal(self, context: Context, part: Part) -> Goal:
        """Mean over examples and labels of the binary cross-entropy, in nats."""
        import torch

        from bench.modeling.encoding.arrays import send
        from bench.training.loss import Goal

        encoded = context.features.encoded(part.split)
        wanted = torch.from_numpy(self.targets(context, part)).float()

        def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
            logits = model(encoded.batch(part.indices[rows], context.device)).float()
            return torch.nn.functional.binary_cross_entropy_with_logits(
                logits, send(wanted[rows], context.device), reduction="sum"
            )

        weights = np.full(len(wanted), len(context.labels), dtype=np.int64)
        return Goal(loss, weights, np.asarray(encoded.lengths)[part.indices])

    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """Each label's probability, float32 [1, n, labels]."""
        return Predictions(head_outputs(context, model, part, lambda logits: logits.sigmoid())[None])

    def solve(self, context: Context, part: Part, features: Any, C: float, iterations: int) -> Solved:
        """A logistic regression for each label against its absence: probabilities, float32 [1, n, labels]."""
        wanted, notes = self.targets(context, part), []
        solvers = [logistic(features, column, C, iterations) for column in wanted.T]
        stopped = sum(solver is not None and solver.n_iter_.max() >= iterations for solver in solvers)
        if stopped:
            notes.append(f"the solver stopped at {iterations} iterations before it converged for {stopped} labels")
        if alike := solvers.count(None):
            notes.append(f"{alike} of {len(solvers)} labels are alike in all training examples: the probe answers so")

        known = [label for label, solver in enumerate(solvers) if solver is not None]
        weights = np.zeros((len(solvers), features.shape[1]))
        biases = np.where(wanted[0] == 1, -1.0, 1.0) * np.log(LEAST)
        for label in known:
            weights[label], biases[label] = solvers[label].coef_[0], solvers[label].intercept_[0]

        def answers(rows: Any) -> np.ndarray:
            found = np.tile(wanted[0].astype(np.float32), (rows.shape[0], 1))
            for label in known:
                found[:, label] = solvers[label].predict_proba(rows)[:, 1]
            return found[None]

        return Solved(answers, notes, (weights, biases))

    def targets(self, context: Context, part: Part) -> np.ndarray:
        """0 or 1 for each label, int8 [n, labels]."""
        found: np.ndarray = _labels(context, part.split)[part.labels]
        return found

    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """majority: a label is given where more than half of the training pool have it; tf-idf: logistic regressions
        on words."""
        from bench.training.tf_idf import tf_idf

        return {"majority": lambda: _majority(context, part), **tf_idf(context, part)}

    def lost(self, answers: np.ndarray) -> np.ndarray:
        """Where a probability is none: a NaN."""
        found: np.ndarray = ~np.isfinite(answers).all(axis=(0, 2))
        return found

    def constant(self, answers: np.ndarray) -> bool:
        """Whether several examples all got the same labels, in every template."""
        chosen = given_labels(answers)
        return chosen.shape[1] > 1 and bool((chosen == chosen[0, 0]).all())

    def doubt(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """Mean binary cross-entropy over examples and labels, in nats, each at most -log(1e-12)."""
        right = np.where(targets == 1, answers[0], 1 - answers[0].astype(np.float64))
        return float(-np.log(np.maximum(right, LEAST)).mean())

    def columns(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
        """labels (their numbers), probabilities."""
        numbers = [np.flatnonzero(row).tolist() for row in targets]
        return {"labels": numbers * len(answers), "probabilities": list(answers.reshape(-1, answers.shape[-1]))}


def _majority(context: Context, part: Part) -> np.ndarray:
    frequent = (_labels(context, "train").mean(axis=0) > 0.5).astype(np.float32)
    return np.tile(frequent, (1, len(part.labels), 1))


def _labels(context: Context, split: str) -> np.ndarray:
    """Every example's labels in a split, int8 [n, labels]."""
    return np.array(context.examples(split).targets, dtype=np.int8)
