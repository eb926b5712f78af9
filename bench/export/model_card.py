"""Model cards with the Hub's evaluation results: one for each task and model, of the verdict's regime."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts import Export
from bench.errors import UsageError
from bench.printable import printable

if TYPE_CHECKING:
    from bench.analysis.exported import Scored
    from bench.analysis.results import Results

TASKS = {
    "text-classification": "text-classification", "image-classification": "image-classification",
    "multi-label-classification": "text-classification", "text-regression": "text-classification",
    "token-classification": "token-classification", "question-answering": "question-answering",
    "multiple-choice": "multiple-choice", "translation": "translation", "summarization": "summarization",
    "text-generation": "text-generation", "language-modeling": "text-generation",
}  # fmt: skip
"""By task kind, what the Hub calls such a task."""
DOUBTFUL = "looks best; the verdict is undecided"
MEANING = (
    "Each score is a mean over seeds, each of which drew other labels to learn from; a single model, such as that in "
    "this repository, may lie above or below it. Intervals are over seeds and test examples, as far as both are known."
)


class ModelCard(Export):
    """A README.md for a model's repository."""

    MODULE = "huggingface_hub"
    EXTRA = "run"

    def export(self, results: Results, out: Path) -> list[Path]:
        """`<task>-<model>-<regime>/README.md`. Raises UsageError where no regime has a score, StoreError."""
        from bench.analysis.best_trials import choose
        from bench.analysis.exported import cells
        from bench.store import atomic

        scored = cells(results)
        files = {}
        for choice in choose(results):
            if choice.record is None:
                continue
            own = [c for c in scored if (c.row["task"], c.row["model"], c.row["regime"]) == choice[:3]]
            names = [re.sub(r"[^A-Za-z0-9.]+", "_", part).strip("._") or "_" for part in choice[:3]]
            files["-".join(names) + "/README.md"] = _card(own, choice.decided, results.name).encode()
        if not files:
            raise UsageError(f"{results.folder}: no regime has a score of which a card could tell; `bench run` first")
        atomic.replace_folder(out, files, lambda name: name.endswith("README.md"))
        return [out / name for name in files]


def _card(found: list[Scored], decided: bool, suite: str) -> str:
    import huggingface_hub as hub

    row, trial = found[0].row, found[0].trial
    base = trial["model"].get("parameters", {}).get("hub")
    name = printable(f"{row['model']}-{row['task']}-{row['regime']}")
    data = hub.ModelCardData(
        model_name=name,
        library_name="transformers",
        base_model=str(base) if base else None,
        tags=["retrain-bench", str(trial["regime"]["kind"])],
        eval_results=[_result(cell) for cell in found],
    )
    model, task, regime = (_escaped(row[key]) for key in ("model", "task", "regime"))
    verdict = "is the verdict: the cheapest regime that is shown to be enough" if decided else DOUBTFUL
    lines = [
        f"# {_escaped(name)}",
        "",
        f"{model} adapted to the task {task} by {regime}, which in the suite {_escaped(suite)} {verdict}.",
        "",
        MEANING,
        "",
        "| labels | wrong labels | metric | score | 95 % interval | seeds |",
        "|--:|--:|---|--:|---|--:|",
        *(_line(cell.row) for cell in found),
        "",
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines)


def _result(cell: Scored) -> Any:
    import huggingface_hub as hub

    row, task = cell.row, cell.trial["task"]
    given = task.get("data", {})
    parameters = given.get("parameters", {})
    tested = task.get("splits", {}).get("test")
    return hub.EvalResult(
        task_type=TASKS.get(task["kind"], "other"),
        task_name=printable(row["task"]),
        dataset_type=str(parameters.get("hub") or "custom"),
        dataset_name=printable(row["task"]),
        dataset_config=parameters.get("config"),
        dataset_split=tested if isinstance(tested, str) else None,
        dataset_revision=str(given.get("fingerprint") or "") or None,
        metric_args={"labels": row["size"], "label_noise": float(row["noise"])},
        metric_type=str(row["metric"]),
        metric_name=f"{row['metric']} ({row['size']} labels"
        + (f", {row['noise']:g} wrong" if row["noise"] else "") + f", {row['seeds']} seeds)",
        metric_value=round(float(row["mean"]), 6),
        verified=False,
    )  # fmt: skip


def _line(row: dict[str, Any]) -> str:
    known = math.isfinite(row["low"]) and math.isfinite(row["high"])
    interval = f"{row['low']:.3f} to {row['high']:.3f}" if known else "–"
    cells = (row["size"], f"{row['noise']:g}", _escaped(row["metric"]), f"{row['mean']:.3f}", interval, row["seeds"])
    return f"| {' | '.join(map(str, cells))} |"


def _escaped(text: object) -> str:
    """A name that stays text in Markdown and in the HTML made of it."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|&~-])", r"\\\1", printable(text))
