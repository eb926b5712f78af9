"""A pretrained backbone and the one linear head that it was trained with, loaded by transformers' `from_pretrained`.

This file stands beside the weights that it loads (`trust_remote_code=True` has transformers read it) and needs torch
and transformers alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import (
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)


class AdaptedConfig(PretrainedConfig):  # type: ignore[misc,unused-ignore]
    """backbone: the config of the pretrained model. answers: `pooled`: one row of logits an example, of features pooled
    as `pooling` says (mean, cls, last, pooler); `tokens`: one a token; `spans`: a start's and an end's a token. width:
    of what the head is given. A number is scale · logit + offset."""

    model_type = "retrain-bench-adapted"

    def __init__(
        self, backbone: dict[str, Any] | None = None, answers: str = "pooled", pooling: str = "mean",
        width: int = 0, scale: float = 1.0, offset: float = 0.0, **more: Any,
    ) -> None:  # fmt: skip
        self.backbone = backbone or {}
        self.answers, self.pooling, self.width, self.scale, self.offset = answers, pooling, width, scale, offset
        super().__init__(**more)


class AdaptedModel(PreTrainedModel):  # type: ignore[misc,unused-ignore]
    """backbone → pooled features, or each token's state → linear head → logits."""

    config_class = AdaptedConfig
    main_input_name = "input_ids"

    def __init__(self, config: AdaptedConfig) -> None:
        super().__init__(config)
        self.backbone = AutoModel.from_config(AutoConfig.for_model(**config.backbone))
        pooler = getattr(self.backbone, "pooler", None)
        if config.pooling != "pooler" and isinstance(pooler, nn.Module) and next(pooler.parameters(), None) is not None:
            self.backbone.pooler = None
        self.head = nn.Linear(config.width, 2 if config.answers == "spans" else config.num_labels)
        self.post_init()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None, pixel_values: Tensor | None = None, **_: Any,
    ) -> Any:  # fmt: skip
        """Logits as transformers' own models of the kind return them."""
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids,
                 "pixel_values": pixel_values}  # fmt: skip
        output = self.backbone(**{name: value for name, value in given.items() if value is not None})
        if self.config.answers == "pooled":
            logits = self.head(_pool(output, attention_mask, self.config.pooling).float())
            return SequenceClassifierOutput(logits=logits * self.config.scale + self.config.offset)
        logits = self.head(output.last_hidden_state.float())
        if self.config.answers == "tokens":
            return TokenClassifierOutput(logits=logits)
        return QuestionAnsweringModelOutput(start_logits=logits[..., 0], end_logits=logits[..., 1])


def _pool(output: Any, mask: Tensor | None, pooling: str) -> Tensor:
    """One vector an example, [n, width]."""
    if pooling == "pooler":
        pooled: Tensor = output.pooler_output
        return pooled.flatten(1)
    states: Tensor = output.last_hidden_state
    if states.ndim == 4:
        return states.mean(dim=(2, 3))
    if pooling == "cls":
        return states[:, 0]
    if mask is None:
        return states.mean(dim=1) if pooling == "mean" else states[:, -1]
    if pooling == "mean":
        weights = mask.to(states.dtype).unsqueeze(-1)
        return (states * weights).sum(dim=1) / weights.sum(dim=1)
    last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1)
    return states[torch.arange(len(states), device=states.device), last]
