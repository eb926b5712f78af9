"""A text: an encoder-decoder, or a decoder alone, trained by the cross-entropy of its tokens and read by generating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts import Baseline, Context, Objective, Part, Predictions
from bench.errors import Diverged
from bench.modeling.models.generation_models import writer

if TYPE_CHECKING:
    from bench.modeling.models.facts import Facts
    from bench.training.loss import Goal


class Texts(Objective):
    """One generated text an example."""

    VERSION = 1
    ANSWERS = "texts"
    NOISE = True

    def applies(self, facts: Facts) -> str | None:
        """An encoder can be joined with a copy of itself where transformers knows how."""
        return None if writer(facts) else f"a {facts.model_type or 'model of this kind'} cannot write text"

    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Any:
        """The model under `backbone`, its random weights from the initialisation stream."""
        from bench.modeling.models.generator import Backbone, generator
        from bench.modeling.models.loading import build_options

        return Backbone(generator(context.folder, pretrained=pretrained, **build_options(context, frozen=frozen)))

    def blocks(self, model: Any) -> Any:
        """The decoder's blocks."""
        from bench.modeling.models.generator import decoder_blocks

        return decoder_blocks(model.backbone)

    def goal(self, context: Context, part: Part) -> Goal:
        """Mean cross-entropy over target tokens."""
        from bench.modeling.encoding import source_target_arrays
        from bench.training.loss import Goal

        data = context.features.encoded(part.split)
        weights = data.weights[part.labels]

        def loss(model: Any, rows: np.ndarray) -> Any:
            batch = data.batch(part.indices[rows], context.device, target_rows=part.labels[rows])
            return source_target_arrays.loss(model.backbone, batch)

        return Goal(loss, weights, data.source_lengths[part.indices] + weights)

    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """The generated texts. Raises Diverged where the model's weights are no finite numbers: it would generate all
        the same."""
        import torch

        from bench.data.seeding import stream
        from bench.modeling.inference.generation import generate

        if not torch.stack([p.isfinite().all() for p in model.parameters()]).all():
            raise Diverged("the model's weights are not finite numbers")
        torch.manual_seed(stream(context.trial.seed, "decoding"))
        found = generate(
            model.backbone, context.features.tokenizer, context.features.encoded(part.split), part.indices,
            device=context.device, batch_size=context.evaluation_batch, settings=context.parameters.decoding,
            autocast=context.autocast, tick=context.progress("predict"),
        )  # fmt: skip
        return Predictions([found.texts], generated_tokens=int(found.tokens.sum()), decoding=found.decoding)

    def targets(self, context: Context, part: Part) -> list[list[str]]:
        """Every reference of every example."""
        references = context.examples(part.split).targets or []
        return [references[row] for row in part.labels.tolist()]

    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """copy: the source itself; lead: its first sentences. The task kind says which."""
        return {
            context.task.BASELINE: lambda: [[context.task.baseline(source) for source in context.inputs(part)]],
        }

    def lost(self, answers: Sequence[Sequence[Any]]) -> np.ndarray:
        """None: any text is an answer."""
        return np.zeros(len(answers[0]), dtype=bool)

    def constant(self, answers: Sequence[Sequence[str]]) -> bool:
        """Whether several examples all got the same text."""
        return len(answers[0]) > 1 and len(set(answers[0])) == 1

    def doubt(self, targets: Any, answers: Any) -> float:
        """No tie is broken."""
        return 0.0

    def columns(self, targets: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, Any]:
        """references, answer."""
        return {
            "references": [list(t) for _ in answers for t in targets],
            "answer": [text for texts in answers for text in texts],
        }
