"""One class out of several: a linear layer on pooled features, trained by cross-entropy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.contracts import Baseline, Context, Objective, Part, Predictions, Solved

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from bench.modeling.heads.classifier import Classifier
    from bench.training.loss import Goal


class Classes(Objective):
    """One class an example."""

    VERSION = 1
    ANSWERS = "classes"
    TARGETS: ClassVar[Literal["classes", "rows"]] = "classes"
    POOLED = NOISE = True
    FLOOR = np.log(1e-12)

    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Classifier:
        """A classifier with an output for each label."""
        return pooled_classifier(context, len(context.labels), pretrained=pretrained, frozen=frozen)

    def blocks(self, model: Classifier) -> Any:
        """The backbone's outermost stack of blocks, or None."""
        from bench.modeling.heads.classifier import blocks

        return blocks(model.backbone)

    def goal(self, context: Context, part: Part) -> Goal:
        """Mean cross-entropy over examples."""
        from bench.training.loss import cross_entropy

        encoded = context.features.encoded(part.split)
        lengths = np.asarray(encoded.lengths)[part.indices]
        return cross_entropy(
            lambda rows: encoded.batch(part.indices[rows], context.device), part.labels, lengths, context.device
        )

    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """Log-probabilities, float32 [1, n, classes]."""
        return Predictions(head_outputs(context, model, part, lambda logits: logits.log_softmax(dim=-1))[None])

    def solve(self, context: Context, part: Part, features: Any, C: float, iterations: int) -> Solved:
        """A logistic regression with an L2 penalty: log-probabilities, float32 [1, n, classes]."""
        solver, notes = logistic(features, part.labels, C, iterations), []
        if solver is None:
            notes.append("all training labels are alike: the probe answers that class")
        elif solver.n_iter_.max() >= iterations:
            notes.append(f"the solver stopped at {iterations} iterations before it converged")

        def answers(rows: Any) -> np.ndarray:
            found = np.full((rows.shape[0], len(context.labels)), self.FLOOR, dtype=np.float32)
            if solver is not None:
                found[:, solver.classes_] = np.maximum(solver.predict_log_proba(rows), self.FLOOR)
            else:
                found[:, part.labels[0]] = 0.0
            return found[None]

        return Solved(answers, notes, self._linear(context, part, features.shape[1], solver))

    def _linear(self, context: Context, part: Part, width: int, solver: Any) -> tuple[np.ndarray, np.ndarray]:
        """A head whose log-softmax is what the solver says; None answers the one class there is."""
        weights, biases = np.zeros((len(context.labels), width)), np.full(len(context.labels), self.FLOOR)
        if solver is None:
            biases[part.labels[0]] = 0.0
        else:  # of two classes it has the second one's row alone, the first one's logit being 0
            weights[solver.classes_[-len(solver.coef_) :]] = solver.coef_
            biases[solver.classes_] = 0.0
            biases[solver.classes_[-len(solver.coef_) :]] = solver.intercept_
        return weights, biases

    def targets(self, context: Context, part: Part) -> np.ndarray:
        """Class numbers, int64 [n]."""
        return part.labels

    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """majority: always the training pool's most frequent class; tf-idf, simple-features: a logistic regression on
        words, or on an image's edges and colours."""
        from bench.training.simple_features import simple_features
        from bench.training.tf_idf import tf_idf

        own = {**tf_idf(context, part), **simple_features(context, part)}
        return {"majority": lambda: self._majority(context, part), **own}

    def _majority(self, context: Context, part: Part) -> np.ndarray:
        found = np.full((1, len(part.labels), len(context.labels)), self.FLOOR, dtype=np.float32)
        found[:, :, context.majority] = 0.0
        return found

    def lost(self, answers: np.ndarray) -> np.ndarray:
        """Where the likeliest class is none: a NaN, an infinity, or nothing possible at all."""
        found: np.ndarray = ~np.isfinite(answers.max(axis=-1)).all(axis=0)
        return found

    def constant(self, answers: np.ndarray) -> bool:
        """Whether one class is the answer to every example, of several, in every template."""
        chosen = answers.argmax(axis=-1)
        return chosen.shape[1] > 1 and bool((chosen == chosen[0, 0]).all())

    def doubt(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """Mean negative log-probability of the labels, in nats, each at most -log(1e-12)."""
        return float(-np.maximum(answers[0][np.arange(len(targets)), targets], self.FLOOR).mean())

    def columns(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
        """label, log_probabilities."""
        templates, count, _ = answers.shape
        kept = np.maximum(answers, self.FLOOR).astype(np.float32).reshape(templates * count, -1)
        return {"label": np.tile(targets, templates), "log_probabilities": list(kept)}


def pooled_classifier(context: Context, outputs: int, *, pretrained: bool, frozen: bool) -> Classifier:
    """A linear layer of so many outputs on pooled features; it, and a random backbone, come from the initialisation
    stream.

    frozen: the pretrained weights will not train, and are held in the model's `dtype`; else in fp32.
    """
    from bench.modeling.models.loading import build_options, classifier

    return classifier(
        context.folder,
        classes=outputs,
        pooling=context.pooling,
        modality=context.task.MODALITY,
        pretrained=pretrained,
        **build_options(context, frozen=frozen),
    )


def head_outputs(context: Context, model: Any, part: Part, read: Callable[[Tensor], Tensor]) -> np.ndarray:
    """`read` of what the head answers, in fp32, for every example: float32 [n, outputs]."""
    from bench.modeling.inference.batched import in_batches

    encoded = context.features.encoded(part.split)
    return in_batches(
        context,
        lambda rows: read(model(encoded.batch(part.indices[rows], context.device)).float()),
        np.asarray(encoded.lengths)[part.indices],
    )


def logistic(features: Any, labels: np.ndarray, C: float, iterations: int) -> Any:
    """scikit-learn's logistic regression, fitted; None where all labels are alike."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=C, max_iter=iterations).fit(features, labels)
