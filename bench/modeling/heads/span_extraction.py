"""Extractive question answering: the best span of a window of the context."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def best(logits: Tensor, context: Tensor, nulls: Tensor, longest: int) -> Tensor:
    """Each window's best span of at most `longest` tokens, float32 [n, 4]: its score, its first and its last token, and
    the null token's score. A score is the sum of the start's and the end's logit (Devlin et al. 2018).

    logits: [n, length, 2]; context: bool [n, length]; nulls: int64 [n]. -inf where a window has no context.
    """
    logits = logits.float()
    start, end = logits.masked_fill(~context[..., None], -torch.inf).unbind(-1)
    ends = pad(end, (0, longest - 1), value=-torch.inf).unfold(1, longest, 1)
    reached, further = ends.max(-1)
    score, first = (start + reached).max(-1)
    last = first + further.gather(1, first[:, None])[:, 0]
    null = logits[torch.arange(len(logits), device=logits.device), nulls].sum(-1)
    return torch.stack([score, first.float(), last.float(), null], dim=-1)
