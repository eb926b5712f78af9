"""Trackio: a run for each scored trial, in a database below the export's folder unless TRACKIO_DIR says else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contracts import Export
from bench.printable import printable

if TYPE_CHECKING:
    from bench.analysis.results import Results


class Trackio(Export):
    """Trackio."""

    MODULE = "trackio"
    EXTRA = "trackio"

    def export(self, results: Results, out: Path) -> list[Path]:
        """Below `out`. Raises StoreError."""
        os.environ.setdefault("TRACKIO_DIR", str(out.absolute()))  # read when it is imported

        import trackio

        from bench.analysis.exported import runs
        from bench.store import atomic

        atomic.make_folder(out)
        for run in runs(results):
            trackio.init(
                project=printable(results.name), name=printable(run.name), group=printable(run.group), config=run.config
            )
            for step, loss in enumerate(run.losses):
                trackio.log({"train/loss": loss}, step=step)
            trackio.log(run.summary, step=len(run.losses))
            trackio.finish()
        return [out]
