"""Every Eval Ever's JSON, schema 0.3.0: one file for each model, regime and environment, a result for each cell.

The schema is the package every-eval-ever's (arXiv 2606.14516). What it asks for that results do not know, who evaluated
and in what relation to the model's maker, is said to be unknown; fill it in before you hand the files in.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts import Export
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.analysis.exported import Scored
    from bench.analysis.results import Results

SCHEMA = "0.3.0"


class EveryEvalEver(Export):
    """Files for the shared database of evaluations."""

    def export(self, results: Results, out: Path) -> list[Path]:
        """`<model>-<regime>-<environment>.json`. Raises UsageError where nothing is scored, StoreError."""
        from bench.analysis.exported import cells, named
        from bench.store import atomic

        groups: dict[tuple[str, str, str], list[Scored]] = defaultdict(list)
        for cell in cells(results):
            groups[named(cell.trial), cell.row["regime"], cell.row["environment"]].append(cell)
        if not groups:
            raise UsageError(f"{results.folder}: holds no score yet, so there is nothing to export; `bench run` first")
        files = {}
        for key, found in groups.items():
            text = json.dumps(_document(results.name, *key, found), indent=1, allow_nan=False, ensure_ascii=False)
            files["-".join(re.sub(r"[^A-Za-z0-9.]+", "_", part).strip("._") for part in key) + ".json"] = text.encode()
        atomic.replace_folder(out, files, lambda name: name.endswith(".json"))
        return [out / name for name in files]


def _document(suite: str, model: str, regime: str, environment: str, found: list[Scored]) -> dict[str, Any]:
    latest = max(cell.finished for cell in found)
    stamp = _epoch(latest)
    trial = found[0].trial
    hub = trial["model"].get("parameters", {}).get("hub")
    known, away = found[0].environment, trial["model"].get("source") == "endpoint"
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{suite}/{model}/{regime}/{environment}/{stamp}",
        "evaluation_timestamp": latest,
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": f"retrain-bench suite {suite}",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": "retrain-bench",
            "version": str(found[0].records[0].get("bench") or version("retrain-bench")),
            "additional_details": {"environment": json.dumps(known, sort_keys=True, ensure_ascii=False)},
        },
        "model_info": {
            "name": model,
            "id": model,
            **({"developer": model.partition("/")[0]} if hub and "/" in model else {}),
            "inference_platform": "HuggingFace" if hub else "local",
            "additional_details": {
                "deployment_type": "externally_managed" if away else "self_deployed",
                "model_availability": "open_weights" if hub else "unknown",
                "fingerprint": str(trial["model"].get("fingerprint", "")),
                "adaptation_regime": regime,
                "adaptation_kind": str(trial["regime"]["kind"]),
                "adaptation_parameters": json.dumps(trial["regime"].get("parameters", {}), sort_keys=True),
            },
        },
        "evaluation_results": [_result(cell) for cell in found],
    }  # fmt: skip


def _result(cell: Scored) -> dict[str, Any]:
    row, task = cell.row, cell.trial["task"]
    labels = f"{row['size']} labels" if row["size"] != 0 else "no labels"
    noise = f", {row['noise']:g} of them wrong" if row["noise"] else ""
    details = {"seeds": str(row["seeds"]), "labels": str(row["size"]), "label_noise": f"{row['noise']:g}",
               "tuned": str(row["tuned"]), "train_seconds": f"{row.get('train_seconds', math.nan):g}"}  # fmt: skip
    return {
        "evaluation_result_id": f"{row['task']}/{row['size']}/{row['noise']:g}/{row['metric']}",
        "evaluation_name": f"{row['task']}: {labels}{noise}",
        "source_data": _data(str(row["task"]), task, row),
        "evaluation_timestamp": cell.finished,
        "metric_config": _metric(str(row["metric"]), cell),
        "score_details": {
            "score": float(row["mean"]), "details": details, **_uncertainty(row),
        },
    }  # fmt: skip


def _data(name: str, task: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    given, splits = task.get("data", {}), task.get("splits", {})
    parameters = given.get("parameters", {})
    details = {"task_kind": str(task["kind"]), "fingerprint": str(given.get("fingerprint", ""))}
    if not (hub := parameters.get("hub")):
        return {"dataset_name": name, "source_type": "other", "additional_details": details}
    tested = splits.get("test", "test")
    own = {"hf_split": tested} if isinstance(tested, str) else {}
    count = row["test_examples"]
    samples = {} if math.isnan(count) else {"samples_number": int(count)}
    return {"dataset_name": name, "source_type": "hf_dataset", "hf_repo": str(hub), **own, **samples,
            "additional_details": {**details, "config": str(parameters.get("config") or "")}}  # fmt: skip


def _metric(name: str, cell: Scored) -> dict[str, Any]:
    from bench.analysis.metric_facts import facts

    found = facts(name, cell.records)
    low, high = ({math.inf: "Infinity", -math.inf: "-Infinity"}.get(end, end) for end in found.range)
    return {"metric_id": name, "metric_name": name, "lower_is_better": found.lower_is_better,
            "score_type": "continuous", "min_score": low, "max_score": high}  # fmt: skip


def _uncertainty(row: dict[str, Any]) -> dict[str, Any]:
    if not (math.isfinite(row["low"]) and math.isfinite(row["high"])):
        return {}
    interval = {"lower": float(row["low"]), "upper": float(row["high"]), "confidence_level": 0.95,
                "method": f"over {row['interval']}"}  # fmt: skip
    return {"uncertainty": {"confidence_interval": interval}}


def _epoch(text: str) -> str:
    """Seconds since 1970 of a record's time; 0 where it has none."""
    try:
        return str(int(datetime.fromisoformat(text).timestamp()))
    except ValueError:
        return "0"
