"""The model's own token-classification head, as it is: the likeliest tag at each word's first token.

Tags are matched by name; one of the model's that fits none of the task's counts as O, or, where the task has no O, is
left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.modeling.inference import classification_head
from bench.modeling.inference.classification_head import meant
from bench.modeling.inference.own_model import ReadByObjective

if TYPE_CHECKING:
    from torch import Tensor

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded
    from bench.modeling.models.facts import Facts
    from bench.suite.trial import Json

OUTSIDE = "O"


class OwnTags(ReadByObjective):
    """The pretrained head's tags, each under the task's name for it."""

    VERSION = 1
    OBJECTIVE = "tags"
    AUTO = "AutoModelForTokenClassification"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not: a tag besides O must fit."""
        if question.modality != "text" or facts.head != "token-classification" or facts.labels is None:
            return "it has no token-classification head"
        labels = question.labels
        if not {labels[i] for i in meant(facts.labels, labels, question.label_map) if i >= 0} - {OUTSIDE}:
            few = classification_head.few(facts.labels)
            return f"its head's tags {few} do not fit the task's; give the task a label_map"
        return None

    def asked(self, context: Context) -> Json:
        """Which tag of the task each tag of the head stands for."""
        return classification_head.label_map(context)

    def notes(self, context: Context, loaded: Loaded) -> tuple[str, ...]:
        """What becomes of tags that fit none of the task's."""
        columns = _columns(context, loaded)
        strange = [name for name, column in zip(loaded.labels, columns, strict=True) if column < 0]
        if not strange:
            return ()
        fate = "count as O" if OUTSIDE in context.labels else "are left out"
        return (f"the model's tags {', '.join(strange)} fit none of the task's and {fate}",)

    def head(self, context: Context, loaded: Loaded) -> Callable[[dict[str, Tensor]], Tensor]:
        """Logits of each of the task's tags: the highest of those of the model's that mean it."""
        import torch

        labels = context.labels
        outside = labels.index(OUTSIDE) if OUTSIDE in labels else -1
        columns = [outside if column < 0 else column for column in _columns(context, loaded)]
        into = torch.tensor(columns, device=context.device)

        def logits(batch: dict[str, Tensor]) -> Tensor:
            own = loaded.model(**batch).logits.float()
            each = [own[..., into == i] for i in range(len(labels))]
            none = torch.full_like(own[..., 0], -torch.inf)
            return torch.stack([one.amax(-1) if one.shape[-1] else none for one in each], dim=-1)

        return logits


def _columns(context: Context, loaded: Loaded) -> list[int]:
    return meant(loaded.labels, context.labels, context.parameters.own_label_map())
