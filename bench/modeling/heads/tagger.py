"""Token classification: a linear layer on every token's state."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bench.modeling.heads.width import width


class Tagger(nn.Module):
    """A backbone, dropout, and one linear layer on every token's state."""

    def __init__(self, backbone: nn.Module, tags: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width(backbone, "last", "text"), tags)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits, [n, longest, tags]."""
        output: Any = self.backbone(**batch)
        logits: Tensor = self.head(self.dropout(output.last_hidden_state.float()))
        return logits
