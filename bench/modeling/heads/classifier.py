"""A pretrained backbone, one named pooling and one linear head: the same head for every regime."""

from __future__ import annotations

from collections.abc import Sequence

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


def blocks(backbone: nn.Module) -> nn.ModuleList | list[nn.Module] | None:
    """The backbone's outermost stack of blocks or stages, or None where it has none.

    That is a ModuleList. Of a network that is written without one, as timm's and torchvision's are, it is the parts
    that it consists of, in their order: what holds over four fifths of the weights is taken apart, and so is a
    Sequential that has no other beside it.
    """
    level: list[nn.Module] = [backbone]
    while level:
        for module in level:
            if isinstance(module, nn.ModuleList) and len(module) > 1:
                return module
        level = [child for module in level for child in module.children()]
    stack = _parts(backbone)
    while (whole := _apart(stack)) is not None:
        stack[whole : whole + 1] = _parts(stack[whole])
    return stack if len(stack) > 1 else None


def _parts(module: nn.Module) -> list[nn.Module]:
    """A module's parts that have weights."""
    return [part for part in module.children() if any(True for _ in part.parameters())]


def _apart(stack: Sequence[nn.Module]) -> int | None:
    """Which of a stack is not one block but several; None where all are blocks."""
    weights = [sum(p.numel() for p in module.parameters()) for module in stack]
    sequences = [number for number, module in enumerate(stack) if type(module) is nn.Sequential]
    for number, module in enumerate(stack):
        if _parts(module) and (weights[number] > 0.8 * sum(weights) or sequences == [number]):
            return number
    return None
