"""Weights & Biases: a run for each scored trial; offline, below the export's folder, unless WANDB_MODE says else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts import Export
from bench.printable import printable

if TYPE_CHECKING:
    from bench.analysis.results import Results


class Wandb(Export):
    """Weights & Biases."""

    MODULE = "wandb"
    EXTRA = "wandb"

    def export(self, results: Results, out: Path) -> list[Path]:
        """Below `out`. Raises StoreError."""
        import wandb

        from bench.analysis.exported import runs
        from bench.store import atomic

        atomic.make_folder(out)
        mode: Any = os.environ.get("WANDB_MODE") or "offline"
        for run in runs(results):
            started = wandb.init(
                project=printable(results.name), name=printable(run.name), group=printable(run.group),
                config=run.config, dir=str(out), mode=mode, reinit="finish_previous",
                settings=wandb.Settings(silent=True),
            )  # fmt: skip
            for step, loss in enumerate(run.losses):
                started.log({"train/loss": loss}, step=step)
            started.summary.update(run.summary)
            started.finish()
        return [out]
