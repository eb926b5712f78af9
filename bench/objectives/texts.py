"""A text: an encoder-decoder, or a decoder alone, trained by the cross-entropy of its tokens and read by generating."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import Diverged
from bench.modeling.models.generation_models import writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.modeling.models.facts import Facts
    from bench.training.job import Baseline, Job, Part
    from bench.training.loss import Goal

VERSION = 1
ANSWERS = "texts"
TARGETS = "rows"
POOLED, NOISE = False, True


def applies(facts: Facts) -> str | None:
    """An encoder can be joined with a copy of itself where transformers knows how."""
    return None if writer(facts) else f"a {facts.model_type or 'model of this kind'} cannot write text"


def build(job: Job, pretrained: bool, frozen: bool) -> Any:
    """The model under `backbone`, its random weights from the initialisation stream."""
    from bench.modeling.models.generator import Backbone, generator

    model = generator(
        job.folder,
        pretrained=pretrained,
        **job.loading(frozen),
    )
    return Backbone(model)


def blocks(model: Any) -> Any:
    """The decoder's blocks."""
    from bench.modeling.models.generator import decoder_blocks

    return decoder_blocks(model.backbone)


def goal(job: Job, part: Part) -> Goal:
    """Mean cross-entropy over target tokens."""
    from bench.modeling.encoding import source_target_arrays
    from bench.training.loss import Goal

    data = job.encoded(part.split)
    weights = data.weights[part.labels]

    def loss(model: Any, rows: np.ndarray) -> Any:
        batch = data.batch(part.indices[rows], job.device, target_rows=part.labels[rows])
        return source_target_arrays.loss(model.backbone, batch)

    return Goal(loss, weights, data.source_lengths[part.indices] + weights)


def answer(job: Job, model: Any, part: Part) -> list[list[str]]:
    """What the model writes. Raises Diverged where its weights are no finite numbers: it would write all the same."""
    import torch

    from bench.data.seeding import stream
    from bench.modeling.inference.generation import generate

    if not torch.stack([p.isfinite().all() for p in model.parameters()]).all():
        raise Diverged("the model's weights are not finite numbers")
    torch.manual_seed(stream(job.trial.seed, "decoding"))
    written = generate(
        model.backbone, job.tokenizer, job.encoded(part.split), part.indices, device=job.device,
        batch_size=job.evaluation_batch, settings=job.parameters.decoding, autocast=job.autocast,
        tick=lambda done, total: job.tick("predict", done, total),
    )  # fmt: skip
    job.tokens_written, job.decoding = int(written.tokens.sum()), written.decoding
    return [written.texts]


def targets(job: Job, part: Part) -> list[list[str]]:
    """Every reference of every example."""
    references = job.examples(part.split).targets or []
    return [references[row] for row in part.labels.tolist()]


def baselines(job: Job, part: Part) -> dict[str, Baseline]:
    """copy: the source itself; lead: its first sentences. What the task kind says."""

    def answers() -> list[list[str]]:
        inputs = job.examples(part.split).inputs
        return [[job.task.baseline(inputs[row]) for row in part.indices.tolist()]]

    return {job.task.BASELINE: answers}


def lost(answers: Sequence[Sequence[str]]) -> np.ndarray:
    """None: any text is an answer."""
    return np.zeros(len(answers[0]), dtype=bool)


def constant(answers: Sequence[Sequence[str]]) -> bool:
    """Whether several examples all got the same text."""
    return len(answers[0]) > 1 and len(set(answers[0])) == 1


def doubt(targets: Any, answers: Any) -> float:
    """No tie is broken."""
    return 0.0


def columns(targets: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, Any]:
    """references, answer."""
    return {
        "references": [list(t) for _ in answers for t in targets],
        "answer": [text for texts in answers for text in texts],
    }
