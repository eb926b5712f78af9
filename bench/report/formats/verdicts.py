"""Verdicts for other programs: JSON with all that was reckoned, and a row each as CSV."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.contracts import ReportFormat
from bench.report.formats.csv import escape

if TYPE_CHECKING:
    from bench.analysis.verdict.decision import Verdict
    from bench.analysis.verdict.findings import Group
    from bench.report.section import Section


class Verdicts(ReportFormat):
    """Answers and verdicts, with probabilities, crossovers, curves and code lengths."""

    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """`verdicts.json` and `verdicts.csv`."""
        import pandas as pd

        found = [verdict for section in sections for verdict in section.findings.verdicts]
        rows = [{key: _flat(value) for key, value in to_json(verdict).items()} for verdict in found]
        table = pd.DataFrame(rows, columns=COLUMNS).map(escape)
        text = json.dumps([_section(section) for section in sections], indent=1, ensure_ascii=False)
        return {
            "verdicts.json": text.encode() + b"\n",
            "verdicts.csv": table.to_csv(index=False, lineterminator="\n").encode(),
        }


COLUMNS = [
    "suite", "task", "model", "size", "labels", "noise", "environment", "metric", "lower_is_better", "tolerance",
    "prefer", "decided", "regime", "guess", "probability_right", "loss_if_wrong", "adequate", "open", "out",
    "over_limits", "seeds", "seeds_needed", "test_examples", "test_examples_needed", "why", "scores", "costs",
    "sentence",
]  # fmt: skip


def to_json(verdict: Verdict) -> dict[str, Any]:
    """One verdict, in `COLUMNS`; what is not known is None."""
    from bench.analysis.verdict.between import labels
    from bench.report import verdicts

    column, settling = verdict.column, verdict.settling
    counts = [one.values.shape[1] for one in column.candidates if one.values is not None]
    said = {
        **{key: getattr(column, key) for key in ("suite", "task", "model", "size", "noise", "environment", "metric")},
        "labels": labels(column),
        "lower_is_better": column.lower_is_better,
        "tolerance": column.tolerance,
        "prefer": verdict.prefer,
        "decided": verdict.decided,
        "regime": verdict.chosen,
        "guess": verdict.guess,
        "probability_right": verdict.right,
        "loss_if_wrong": verdict.regret,
        "adequate": list(verdict.adequate),
        "open": list(verdict.open),
        "out": list(verdict.out),
        "over_limits": verdict.over,
        "seeds": max((len(one.seeds) for one in column.candidates if one.labelled), default=0),
        "seeds_needed": settling.seeds if settling else None,
        "test_examples": max(counts, default=None),
        "test_examples_needed": settling.examples if settling else None,
        "why": verdict.why,
        "scores": {one.name: one.mean for one in column.candidates},
        "costs": verdict.cost,
        "sentence": verdicts.sentence(verdict),
    }
    return {key: plain(said[key]) for key in COLUMNS}


def plain(value: Any) -> Any:
    """As JSON can hold it: no number that is none, and no endless one."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _group(group: Group, said: dict[str, list[str]]) -> dict[str, Any]:
    curves = [
        {
            **{name: getattr(one, name) for name in ("name", "a", "b", "c", "largest")},
            "at_twice": one.score(2 * one.largest),
        }
        for one in group.curves
    ]
    return {
        "task": group.task,
        "model": group.model,
        "environment": group.environment,
        "answers": {question: " ".join(sentences) for question, sentences in said.items()},
        "verdicts": [to_json(one) for one in group.verdicts],
        **plain({
            "crossovers": list(group.crossovers),
            "curves": curves,
            "data_transferred": list(group.transfers),
            "code_lengths": list(group.codes),
            "noise_slopes": list(group.slopes),
            "verdicts_changed_by_noise": dict(zip(("changed", "compared"), group.changed, strict=True)),
        }),
    }  # fmt: skip


def _section(section: Section) -> dict[str, Any]:
    found = section.findings
    same, pairs = found.neighbours
    left_out = {one.way: {"within_tolerance": one.within, "verdicts": len(one.regrets), "mean_loss": one.mean}
                for one in found.left_out}  # fmt: skip
    across = [{"model": model, "environment": environment, "regimes": [one._asdict() for one in table]}
              for (model, environment), table in found.across.items()]  # fmt: skip
    return {
        "suite": section.name,
        "prefer": found.prefer,
        "groups": [_group(one, said) for one, said in zip(found.groups, section.answered, strict=True)],
        **plain({
            "inseparable_neighbours": {"inseparable": same, "pairs": pairs},
            "loss_where_left_out": left_out,
            "across_tasks": across,
        }),
    }  # fmt: skip
