"""One of an example's own choices: a linear layer gives each pooled (context, choice) a score, softmax over choices.

As transformers' models for multiple choice do (Zellers et al. 2018 on SWAG); a budget is stratified by the position of
the right choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts import Baseline, Context, Part, Predictions
from bench.objectives.classes import Classes, pooled_classifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from bench.modeling.heads.classifier import Classifier
    from bench.training.loss import Goal


class Choices(Classes):
    """One of an example's own choices; answers are judged as classes are."""

    VERSION = 1
    TARGETS = "rows"
    POOLED = NOISE = False

    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Classifier:
        """A classifier with one output."""
        return pooled_classifier(context, 1, pretrained=pretrained, frozen=frozen)

    def goal(self, context: Context, part: Part) -> Goal:
        """Mean cross-entropy over examples, each a softmax over its own choices."""
        import torch
        from torch.nn.functional import cross_entropy

        from bench.modeling.encoding.arrays import send
        from bench.training.loss import Goal

        right, lengths = self.targets(context, part), context.features.encoded(part.split).lengths[part.indices]

        def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
            wanted = send(torch.from_numpy(right[rows]), context.device)
            return cross_entropy(_scores(context, model, part, rows), wanted, reduction="sum")

        return Goal(loss, np.ones(len(part.indices), dtype=np.int64), lengths)

    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """Log-probabilities, float32 [1, n, most choices of the split], -inf where an example has fewer."""
        from bench.modeling.inference.batched import in_batches

        found = in_batches(
            context,
            lambda rows: _scores(context, model, part, rows).log_softmax(dim=-1),
            context.features.encoded(part.split).lengths[part.indices],
        )
        return Predictions(found[None])

    def targets(self, context: Context, part: Part) -> np.ndarray:
        """The positions of the right choices, int64 [n]."""
        found: np.ndarray = np.asarray(context.examples(part.split).targets, dtype=np.int64)[part.labels]
        return found

    def in_words(self, context: Context, source: Sequence[str], target: int) -> str:
        """The right choice."""
        return source[1 + target]

    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """majority: the position that is right most often in the training pool, or the last where there are fewer."""
        return {"majority": lambda: self._majority(context, part)}

    def _majority(self, context: Context, part: Part) -> np.ndarray:
        counts = np.array([len(example) - 1 for example in context.examples(part.split).inputs])
        found = np.full((1, len(part.indices), int(counts.max())), self.FLOOR, dtype=np.float32)
        found[0, np.arange(len(part.indices)), np.minimum(context.majority, counts[part.indices] - 1)] = 0.0
        return found


def _scores(context: Context, model: Any, part: Part, rows: np.ndarray) -> torch.Tensor:
    """One score a choice, fp32 [n, most], -inf where there is none."""
    encoded, indices = context.features.encoded(part.split), part.indices[rows]
    pairs = encoded.pairs.batch(encoded.flat(indices), context.device)
    found: torch.Tensor = encoded.by_example(model(pairs)[:, 0], indices)
    return found
