"""Scores and the predictions file of one trial."""

from __future__ import annotations

import functools
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import plugins
from bench.contracts import Baseline, Context, Metric, Objective, Part
from bench.errors import Diverged
from bench.probes.guard import Guard
from bench.probes.heartbeat import working
from bench.probes.ledger import Ledger
from bench.store import atomic
from bench.suite.trial import Json
from bench.trial.pseudo_values import pseudo_values


def scores(objective: Objective, metrics: list[str], targets: Any, answers: Any) -> Json:
    """{metric: its mean over templates}. answers: [templates][n].

    Raises Diverged where an example's answer or a score is none: no finite number.
    """
    lost = objective.lost(answers)
    if lost.any():
        raise Diverged(f"the model's outputs are not finite numbers for {lost.sum()} of {len(lost)} examples")
    found = {metric: float(np.mean(values)) for metric, values in by_template(metrics, targets, answers).items()}
    for metric, value in found.items():
        if not np.isfinite(value):
            raise Diverged(f"{metric} is no finite number")
    return found


def baselines(context: Context, ledger: Ledger, metrics: list[str], part: Part) -> Json:
    """{baseline: {metric: its score on a part}}; without what fails, which only compares."""
    objective, guard = context.objective, ledger.guard

    def score(answer: Callable[[], Any]) -> Json | None:
        with working(lambda: context.tick("baselines", 0, None)):
            answers = answer()
            return None if answers is None else scores(objective, metrics, objective.targets(context, part), answers)

    where = "" if part.split == "test" else f" on {part.split.removeprefix('also-')}"
    known: dict[str, Baseline] = guard(f"every baseline{where}", lambda: objective.baselines(context, part), {})
    found = {name: guard(f"the baseline {name}{where}", functools.partial(score, of)) for name, of in known.items()}
    return {name: scored for name, scored in found.items() if scored is not None}


def facts(metrics: list[str]) -> Json:
    """{"metrics": {metric: which way it is better, and its range}}, for whoever has no such plugin. Endless: null."""
    return {"metrics": {metric: _fact(plugins.load("metrics", metric)) for metric in metrics}}


def _fact(plugin: Metric) -> Json:
    ends = [float(end) if math.isfinite(end) else None for end in plugin.RANGE]
    return {"lower_is_better": not plugin.HIGHER_IS_BETTER, "range": ends}


def signatures(metrics: list[str]) -> Json:
    """{"signatures": {metric: library, version and settings}} of those whose value depends on them."""
    found = {metric: plugins.load("metrics", metric).signature() for metric in metrics}
    known = {metric: signature for metric, signature in found.items() if signature is not None}
    return {"signatures": known} if known else {}


def by_template(metrics: list[str], targets: Any, answers: Any) -> dict[str, list[float]]:
    """{metric: one value per template}."""
    return {m: [float(plugins.load("metrics", m).score(targets, one)) for one in answers] for m in metrics}


def predictions(context: Context, guard: Guard, metric: str, part: Part, targets: Any, answers: Any) -> dict[str, Any]:
    """The columns of predictions.parquet: one row per template and test example."""
    plugin = plugins.load("metrics", metric)
    templates, count = len(answers), len(part.indices)
    clusters = guard("which examples belong together", lambda: context.data.clusters(part.split))
    together = None if clusters is None else clusters[part.indices]
    outcomes = [plugin.outcomes(targets, one) if plugin.PER_EXAMPLE else np.full(count, np.nan) for one in answers]
    return {
        "example": np.tile(part.indices, templates),
        "row": np.tile(_rows(context, part), templates),
        "template": np.repeat(np.arange(templates), count),
        "outcome": np.concatenate(outcomes).astype(np.float32),
        **({} if together is None else {"cluster": np.tile(together, templates)}),
        **guard("the pseudo-values", lambda: _pseudo_values(plugin, targets, answers, together), {}),
        **context.objective.columns(targets, answers),
    }


def _pseudo_values(metric: Metric, targets: Any, answers: Any, together: np.ndarray | None) -> dict[str, Any]:
    """`pseudo_value` and, where they were found for groups of examples, `pseudo_group`; none of a metric whose outcomes
    they are."""
    if metric.PER_EXAMPLE:
        return {}
    found = [pseudo_values(metric, targets, one, together) for one in answers]
    columns: dict[str, Any] = {"pseudo_value": np.concatenate([one.values for one in found])}
    if not np.isfinite(columns["pseudo_value"]).all():
        return {}
    groups = [one.groups for one in found if one.groups is not None]
    return columns | ({"pseudo_group": np.concatenate(groups)} if groups else {})


def _rows(context: Context, part: Part) -> np.ndarray:
    """Where a part's examples stand in the split of the data set that they come from, int64 [n]."""
    found = context.data.rows.get(part.split)
    return part.indices if found is None else found[part.indices]


def save(folder: Path, artifact: Json) -> None:
    """Write curve.json and, where there are predictions, predictions.parquet and one file for each also_test set:
    all or none. Raises StoreError."""
    files = {"curve.json": json.dumps(artifact["curve"]).encode()}
    if "predictions" in artifact:
        files["predictions.parquet"] = _parquet(artifact["predictions"])
    for name, columns in artifact.get("also_test", {}).items():
        files[f"also-{name}.parquet"] = _parquet(columns)
    atomic.write_folder(folder, files)


def _parquet(columns: dict[str, Any]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    mask = {"outcome": np.isnan(columns["outcome"])}
    arrays = {name: pyarrow.array(values, mask=mask.get(name)) for name, values in columns.items()}
    data = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays), data, compression="zstd")
    return data.getvalue()
