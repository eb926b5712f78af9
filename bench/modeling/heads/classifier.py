"""A pretrained backbone, one named pooling and one linear head: the same head for every regime."""

from __future__ import annotations

from torch import Tensor, nn

from bench.modeling.heads.pool import pool


class Classifier(nn.Module):
    """backbone → pooled features [n, width] → dropout → linear head → logits [n, classes]."""

    def __init__(self, backbone: nn.Module, pooling: str, classes: int, dropout: float, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """Pooled features, float32 [n, width]."""
        return pool(self.backbone(**batch), batch.get("attention_mask"), self.pooling).float()

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits, [n, classes]."""
        logits: Tensor = self.head(self.dropout(self.features(batch)))
        return logits


def blocks(backbone: nn.Module) -> nn.ModuleList | None:
    """The backbone's outermost stack of blocks, or None where it has none."""
    level: list[nn.Module] = [backbone]
    while level:
        for module in level:
            if isinstance(module, nn.ModuleList) and len(module) > 1:
                return module
        level = [child for module in level for child in module.children()]
    return None
