"""A tag for every word: a linear layer on the state of each word's first token, trained by cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts import Baseline, Context, Objective, Part, Predictions
from bench.objectives.classes import pooled_classifier

if TYPE_CHECKING:
    from bench.modeling.heads.tagger import Tagger
    from bench.training.loss import Goal


class Tags(Objective):
    """One tag a word."""

    VERSION = 1
    ANSWERS = "tags"

    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Tagger:
        """A tagger on the same backbone as a classifier's."""
        from bench.modeling.heads.tagger import Tagger

        found = pooled_classifier(context, len(context.labels), pretrained=pretrained, frozen=frozen)
        return Tagger(found.backbone, len(context.labels), found.dropout.p)

    def blocks(self, model: Tagger) -> Any:
        """The backbone's outermost stack of blocks, or None."""
        from bench.modeling.heads.classifier import blocks

        return blocks(model.backbone)

    def goal(self, context: Context, part: Part) -> Goal:
        """Mean cross-entropy over words."""
        import torch
        from torch.nn.functional import cross_entropy

        from bench.modeling.encoding.arrays import IGNORE_INDEX
        from bench.training.loss import Goal

        encoded, targets = context.features.encoded(part.split), _numbers(context, part)

        def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
            indices = part.indices[rows]
            wanted = encoded.targets(indices, [targets[row] for row in rows], context.device)
            logits = model(encoded.tokens.batch(indices, context.device))
            return cross_entropy(
                logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
            )

        weights = np.array([int((encoded.row(index) >= 0).sum()) for index in part.indices], dtype=np.int64)
        return Goal(loss, weights, np.asarray(encoded.lengths)[part.indices])

    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """Each word's tag; `O` for words that were cut off. None where the model's outputs are no finite numbers."""
        import torch

        from bench.modeling.inference.batched import by_length

        encoded, lengths = context.features.encoded(part.split), _word_counts(context, part)
        batches = by_length(np.asarray(encoded.lengths)[part.indices], context.evaluation_batch)
        found: dict[int, list[str] | None] = {}
        with torch.inference_mode():
            for done, batch in enumerate(batches):
                with context.autocast():
                    logits = model(encoded.tokens.batch(part.indices[batch], context.device)).float()
                best = logits.max(dim=-1)
                tags, scores = best.indices.cpu().numpy(), best.values.cpu().numpy()
                for position, chosen, sure in zip(batch, tags, scores, strict=True):
                    row = encoded.row(part.indices[position])
                    begins = np.flatnonzero(row >= 0)
                    words = ["O"] * lengths[position]
                    for at in begins:
                        words[row[at]] = context.labels[chosen[at]]
                    found[int(position)] = words if np.isfinite(sure[begins]).all() else None
                context.tick("predict", done + 1, len(batches))
        return Predictions([[found[position] for position in range(len(part.indices))]])

    def targets(self, context: Context, part: Part) -> list[list[str]]:
        """Tag names."""
        return [[context.labels[tag] for tag in tags] for tags in _numbers(context, part)]

    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """majority: no word is part of an entity."""
        return {"majority": lambda: [[["O"] * count for count in _word_counts(context, part)]]}

    def lost(self, answers: Sequence[Sequence[Any]]) -> np.ndarray:
        """Where there is none."""
        return np.array([any(one[row] is None for one in answers) for row in range(len(answers[0]))])

    def constant(self, answers: Sequence[Sequence[Sequence[str]]]) -> bool:
        """Whether every word of several examples got the same tag."""
        return len(answers[0]) > 1 and len({tag for one in answers for tags in one for tag in tags}) == 1

    def doubt(self, targets: Sequence[Sequence[str]], answers: Sequence[Sequence[Sequence[str]]]) -> float:
        """The fraction of words with a wrong tag."""
        pairs = [pair for t, a in zip(targets, answers[0], strict=True) for pair in zip(t, a, strict=True)]
        return float(np.mean([one != other for one, other in pairs])) if pairs else 0.0

    def columns(self, targets: Sequence[Sequence[str]], answers: Sequence[Sequence[Sequence[str]]]) -> dict[str, Any]:
        """tags, answer: one tag a word."""
        return {
            "tags": [list(tags) for _ in answers for tags in targets],
            "answer": [list(tags) for one in answers for tags in one],
        }


def _numbers(context: Context, part: Part) -> list[np.ndarray]:
    """The numbers of each example's tags, int64."""
    targets = context.examples(part.split).targets or []
    return [np.asarray(targets[row], dtype=np.int64) for row in part.labels.tolist()]


def _word_counts(context: Context, part: Part) -> list[int]:
    return [len(words) for words in context.inputs(part)]
