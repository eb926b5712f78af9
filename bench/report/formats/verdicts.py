"""Verdicts for other programs: JSON with all that was reckoned, and a row each as CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.contracts import ReportFormat
from bench.report.formats.csv import escape

if TYPE_CHECKING:
    from bench.analysis.verdict.findings import Group
    from bench.report.section import Section


class Verdicts(ReportFormat):
    """Answers and verdicts, with probabilities, crossovers, curves and code lengths."""

    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """`verdicts.json` and `verdicts.csv`."""
        import pandas as pd

        from bench.report.verdict_rows import COLUMNS, to_json

        found = [verdict for section in sections for verdict in section.findings.verdicts]
        rows = [{key: _flat(value) for key, value in to_json(verdict).items()} for verdict in found]
        table = pd.DataFrame(rows, columns=COLUMNS).map(escape)
        text = json.dumps([_section(section) for section in sections], indent=1, ensure_ascii=False)
        return {
            "verdicts.json": text.encode() + b"\n",
            "verdicts.csv": table.to_csv(index=False, lineterminator="\n").encode(),
        }


def _flat(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _group(group: Group, said: dict[str, list[str]]) -> dict[str, Any]:
    from bench.report.verdict_rows import plain, to_json

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
    from bench.report.verdict_rows import plain

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
