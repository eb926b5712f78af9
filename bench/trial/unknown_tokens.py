"""Whether a model knows the words of a task: a remark where its tokenizer takes too many for unknown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.contracts import Context
from bench.store.cache import cached
from bench.training.pretraining.continued import texts_of

VERSION = 1
MOST = 0.1
TEXTS = 500
"""Texts that are looked at."""


def remarks(context: Context) -> list[str]:
    """One sentence where more than a tenth of the tokens of the test texts are unknown, else nothing."""
    if context.task.MODALITY != "text":
        return []
    key = {"model": context.trial.model, "task": context.trial.task, "limits": context.trial.limits, "version": VERSION}

    def count(target: Path) -> None:
        inputs = context.examples("test").inputs
        found = share(context.features.tokenizer, texts_of(inputs[row] for row in range(min(TEXTS, len(inputs)))))
        context.intact()
        (target / "share.json").write_text(json.dumps(found))

    found = json.loads((cached("unknown", key, count) / "share.json").read_text())
    return [f"{found:.0%} of the tokens of the test texts are unknown to the model's tokenizer"] if found > MOST else []


def share(tokenizer: Any, texts: Sequence[str]) -> float:
    """Which part of the texts' tokens are unknown; 0 for a tokenizer that knows every byte, whose token for what is
    unknown, if it has one, stands for something else."""
    others = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id)
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown in (*others, tokenizer.pad_token_id):
        return 0.0
    rows = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    return float(sum(row.count(unknown) for row in rows) / max(1, sum(map(len, rows))))
