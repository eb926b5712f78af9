"""What stands behind each cell: its trials, how they were set up, how they learnt, what they cost, how to run them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from markupsafe import Markup

from bench.analysis.trials import CellTrials, losses
from bench.report import environment, numbers, tables
from bench.report.section import Section
from bench.store.record import Record

LOG_LINES, LOG_WIDTH = 12, 300
"""Of the end of a failed trial's log."""
SPARK_WIDTH, SPARK_HEIGHT = 150, 34
USES = (("train", "train"), ("validation", "validate"), ("test", "test"))
CONFIGURATION = ("model", "task", "regime", "budget", "training", "validation", "limits")
"""What of a trial is the same for every seed of its cell."""


@dataclass(frozen=True)
class Trial:
    """One row. values: its cells' texts by `HEADS`; loss: its curve, or nothing."""

    values: list[str]
    loss: Markup
    log: list[str]
    failed: str


@dataclass(frozen=True)
class Details:
    """A cell's. key: by which a row of the tidy frame finds it; facts: (name, text)."""

    key: tuple[str, str, str, str, float, str]
    title: str
    configuration: list[str]
    facts: list[tuple[str, str]]
    commands: list[str]
    reported: list[Trial]
    tuning: list[Trial]


HEADS = ("seed", "status", "score", "validation", "tuned", "training", "in all", "peak memory", "attempt")


def key(row: Any) -> tuple[str, str, str, str, float, str]:
    """Of a row of the tidy frame, or of a cell of the plan, without its environment."""
    return (*(str(row[name]) for name in ("task", "model", "regime", "size")), float(row["noise"]), "")  # type: ignore[return-value]


def details(section: Section, cell: CellTrials) -> Details:
    """All that the page tells of one cell."""
    own = cell.cell
    labels = "no labels" if own["size"] == 0 else f"{own['size']} labels"
    wrong = f", {numbers.percent(own['noise'])} of them wrong" if own["noise"] else ""
    where = f", environment {cell.environment}" if len(section.results.environments) > 1 else ""
    shown = [*cell.reported, *cell.tuning]
    trial: Any = shown[0]["trial"]
    return Details(
        key=(
            str(own["task"]),
            str(own["model"]),
            str(own["regime"]),
            str(own["size"]),
            float(own["noise"]),
            cell.environment,
        ),
        title=f"{own['regime']} on {own['task']} with {own['model']}, {labels}{wrong}{where}",
        configuration=_yaml({name: trial[name] for name in CONFIGURATION if trial.get(name)}),
        facts=list(_facts(cell, shown)),
        commands=list(_commands(section, cell)),
        reported=[_trial(section, record) for record in cell.reported],
        tuning=[_trial(section, record) for record in cell.tuning],
    )


def _yaml(value: Any) -> list[str]:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # in C where PyYAML was built with it
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110)
    return text.splitlines()


def _facts(cell: CellTrials, shown: list[Record]) -> Iterator[tuple[str, str]]:
    """Where the numbers come from."""
    first = shown[0]
    trial: Any = first["trial"]
    if cell.missing:
        yield "still to run", f"{cell.missing} of {cell.cell['seeds']} seeds"
    for name, path in (("model", ("model",)), ("data", ("task", "data"))):
        part = trial
        for step in path:
            part = part.get(step) if isinstance(part, dict) else None
        if isinstance(part, dict) and part.get("fingerprint"):
            yield f"{name}, fingerprint", str(part["fingerprint"])
    facts: Any = first.get("facts", {})
    examples = [f"{facts[f'{name}_examples']:,} to {word}" for name, word in USES if f"{name}_examples" in facts]
    if examples:
        yield "examples", ", ".join(examples)
    if found := first.get("environment"):
        yield "environment", environment.line(found)
    yield "bench", ", ".join(dict.fromkeys(str(r["bench"]) for r in shown if r.get("bench"))) or "unknown"
    yield "run", ", ".join(dict.fromkeys(f"{r.get('run')}, {str(r.get('finished') or '')[:16]}" for r in shown))[:200]
    yield "trials", " ".join(str(r["trial"]["id"]) for r in cell.reported)


def _commands(section: Section, cell: CellTrials) -> Iterator[str]:
    own = cell.cell
    axes = [f"{axis}={own[axis]}" for axis in ("task", "model", "regime", "size")]
    axes.append(f"noise={own['noise']:g}")
    asked = " ".join(f"--only {shlex.quote(one)}" for one in axes)
    suite = shlex.quote(f"{section.results.plan.get('suite') or section.name}.yaml")
    yield f"bench run {suite} {asked} --rerun all"


def _trial(section: Section, record: Record) -> Trial:
    failed = record["status"] != "ok"
    log = str(record.get("log") or "").splitlines()[-LOG_LINES:] if failed else []
    return Trial(
        values=list(_values(record)),
        loss=Markup("") if failed else spark(losses(section.results, record)),
        log=[line[:LOG_WIDTH] for line in log],
        failed=str(record.get("cause") or "no cause recorded") if failed else "",
    )


def _values(record: Record) -> Iterator[str]:
    trial: Any = record["trial"]
    scores, costs = record.get("scores", {}), record.get("costs", {})
    metric = scores.get("metric", "")
    seconds, memory = costs.get("seconds") or {}, costs.get("memory_bytes") or {}
    yield str(trial.get("seed"))
    yield tables.state(record["status"])
    for found in (scores.get("test") or {}, scores.get("validation") or {}):
        yield numbers.score(found[metric]) if metric in found else numbers.NONE
    tuned = trial.get("tuned") or {}
    yield (
        ", ".join(f"{name} {value:.3g}" for name, value in tuned.items() if isinstance(value, int | float))
        or numbers.NONE
    )
    for name in ("train", "total"):
        yield _amount(seconds.get(name), numbers.duration)
    peak = memory.get("train_reserved") or memory.get("train_host") or memory.get("inference_reserved")
    yield _amount(peak or memory.get("inference_host"), lambda value: numbers.quantity(value, "B"))
    yield str(record.get("attempt") or numbers.NONE)


def _amount(value: Any, form: Any) -> str:
    return str(form(value)) if isinstance(value, int | float) else numbers.NONE


def spark(curve: list[tuple[float, float]]) -> Markup:
    """A training loss as a line no higher than its row."""
    if len(curve) < 2:
        return Markup("")
    steps, values = [step for step, _ in curve], [value for _, value in curve]
    low, high = min(values), max(values)
    wide, tall = (steps[-1] - steps[0]) or 1.0, (high - low) or 1.0
    points = "L".join(
        f"{(step - steps[0]) / wide * (SPARK_WIDTH - 2) + 1:.0f} {1 + (high - value) / tall * (SPARK_HEIGHT - 2):.1f}"
        for step, value in curve
    )
    about = f"training loss, {values[0]:.3g} at first, {values[-1]:.3g} at last"
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}"><path class="l" d="M{}"/></svg>'
    ).format(SPARK_WIDTH, SPARK_HEIGHT, about, points)
