"""MLflow: a run for each scored trial; in a database below the export's folder unless MLFLOW_TRACKING_URI says else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contracts import Export
from bench.printable import printable

if TYPE_CHECKING:
    from bench.analysis.results import Results

MOST = 500
"""Characters of a parameter's value, which MLflow allows."""
AT_ONCE = 100
"""Parameters of one call, which MLflow allows."""


class Mlflow(Export):
    """MLflow."""

    MODULE = "mlflow"
    EXTRA = "mlflow"

    def export(self, results: Results, out: Path) -> list[Path]:
        """`mlflow.db`, or the server that MLFLOW_TRACKING_URI names. Raises StoreError."""
        import mlflow

        from bench.analysis.exported import runs
        from bench.store import atomic

        atomic.make_folder(out)
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            mlflow.set_tracking_uri(f"sqlite:///{out.absolute() / 'mlflow.db'}")
        mlflow.set_experiment(printable(results.name))
        for run in runs(results):
            with mlflow.start_run(run_name=printable(run.name)):
                mlflow.set_tag("group", printable(run.group))
                given = [(_key(name), str(value)[:MOST]) for name, value in run.config.items()]
                for start in range(0, len(given), AT_ONCE):
                    mlflow.log_params(dict(given[start : start + AT_ONCE]))
                for step, loss in enumerate(run.losses):
                    mlflow.log_metric("train/loss", loss, step=step)
                mlflow.log_metrics({_key(name): value for name, value in run.summary.items()})
        return [out]


def _key(name: str) -> str:
    """A name of the letters that MLflow allows."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)
