"""The four answers that open a report, to the questions that it was made for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from bench.analysis.column import Column
from bench.analysis.verdict.adequate import adequate
from bench.analysis.verdict.between import labels
from bench.analysis.verdict.decision import Verdict
from bench.analysis.verdict.findings import SCRATCH, Findings, Group, best_of, best_trained, of_kind, regimes_of
from bench.analysis.verdict.gains import gain
from bench.report import numbers
from bench.report.table import Cell, Table, cells
from bench.report.verdicts import summary
from bench.report.wording import budget, count, drawn_units, exactly, interval, listed, named, score, tolerance

QUESTIONS = (
    "Is the pretrained model's score enough as it is?",
    "How complex is the task?",
    "How much data is there?",
    "How good is the data?",
)
EASY, HARD = 1 / 3, 2 / 3
"""Of the bits that guessing takes: what is left below the one is an easy task, above the other a hard one."""
FEW = 3
"""Tasks and models that have a table each."""
MORE = "verdicts.json has these answers in full."
Json = Mapping[str, Any]
Lock = Json


def answered(
    findings: Findings,
    frame: pd.DataFrame,
    lock: Lock,
    audits: Mapping[str, Json],
    spoilt: Callable[[Group], Iterable[str]] = lambda group: (),
) -> list[dict[str, list[str]]]:
    """Of each group a few sentences for each of `QUESTIONS`, of which the first answers alone. frame: of the suite;
    lock: the suite's; audits: what `bench audit` found, by task; spoilt: says what worse images cost a group."""
    rows = dict(list(frame.groupby(["task", "model"], sort=False)))
    return [
        _answers(group, rows[group.task, group.model], lock, audits.get(group.task, {}), list(spoilt(group)))
        for group in findings.groups
    ]


def _answers(group: Group, rows: pd.DataFrame, lock: Lock, audit: Json, spoilt: Sequence[str]) -> dict[str, list[str]]:
    found = (
        _as_it_is(group, rows),
        _complexity(group),
        _amount(group, _pool(lock, group.task)),
        _quality(group, _summary(lock, group.task), audit, spoilt),
    )
    return {question: list(sentences) for question, sentences in zip(QUESTIONS, found, strict=True)}


def _summary(lock: Lock, task: str) -> Mapping[str, Any]:
    entry = lock.get("tasks", {}).get(task)
    summary = entry.get("summary") if isinstance(entry, dict) else None
    return summary if isinstance(summary, dict) else {}


def _pool(lock: Lock, task: str) -> int:
    """How many training examples there are; 0 where the lock does not say."""
    rows = _summary(lock, task).get("rows")
    if isinstance(rows, dict) and isinstance(rows.get("train"), int):
        return int(rows["train"])
    entry = lock.get("tasks", {}).get(task)
    classes = entry.get("classes") if isinstance(entry, dict) else None
    train = classes.get("train") if isinstance(classes, dict) else None
    known = isinstance(train, list) and all(isinstance(one, int) for one in train)
    return sum(train) if known and train else 0


def _as_it_is(group: Group, rows: pd.DataFrame) -> Iterator[str]:
    column = group.largest.column
    blind = best_of(column, [one for one in regimes_of(column) if not one.labelled])
    if blind is None:
        impossible = ((rows["kind"] == "zero-shot") & (rows["state"] == "not_applicable")).any()
        yield "It cannot answer without training." if impossible else "Not known: nothing without labels was run."
        if impossible:
            yield "Why each way of asking it does not fit stands with what is not applicable."
        return
    best = best_of(column, [one for one in regimes_of(column) if one.labelled])
    if best is None:
        yield f"{blind.name} scores {score(column, blind.name)}; nothing that learns has a score to compare it with."
        return
    whole = adequate(column)
    standing, lead = whole.standing[blind.name], column.difference(best.name, blind.name)
    own, other = f"{blind.name} scores {score(column, blind.name)}", f"{best.name} with {budget(column)}"
    if lead is None:
        yield f"Not known: {own}, {other} {score(column, best.name)}, and one seed says nothing about the difference."
    elif standing == "adequate" or lead.high < column.tolerance:
        yield f"Yes: {own}, and nothing trained on up to {budget(column)} is better by more than {tolerance(column)}."
    elif lead.low > column.tolerance:
        yield f"No: {own}, {other} {score(column, best.name)}, better by {interval(lead)}."
        yield from _not_yet(group, blind.name)
    else:
        yield f"Not shown: {own}, {other} {score(column, best.name)}, better by {interval(lead)}."
    yield from _no_better_than_guessing(column, blind.name)


def _not_yet(group: Group, name: str) -> Iterator[str]:
    """The sizes at which nothing is shown to be better than the model as it is."""
    sizes = [
        str(one.column.size)
        for one in group.clean[:-1]
        if name in {c.name for c in one.column.candidates} and adequate(one.column).standing[name] != "out"
    ]
    if sizes:
        edge = tolerance(group.largest.column)
        yield f"With {listed(sizes)} labels nothing is shown to be better by more than {edge}."


def _no_better_than_guessing(column: Column, name: str) -> Iterator[str]:
    floors = [one for one in column.candidates if one.kind == "baseline" and not one.labelled]
    floor = best_of(column, floors)
    lead = column.difference(name, floor.name) if floor else None
    if floor and lead and lead.low <= 0:
        yield f"That is not shown to be better than {named(column, floor.name)} ({score(column, floor.name)})."


def _complexity(group: Group) -> Iterator[str]:
    column = group.largest.column
    scratch = of_kind(column, SCRATCH)
    own = [one for one in group.codes if scratch is None or one.regime != scratch.name]
    if own:
        best, uniform = own[0], own[0].uniform
        low = f" (95 %: {best.low:.2f} to {best.high:.2f})" if not math.isnan(best.low) else ""
        yield f"{_grade(best.bits / uniform)}: {best.bits:.2f} of {uniform:.2f} bits a label."
        again = next((one for one in group.codes if scratch is not None and one.regime == scratch.name), None)
        others = f"guessing them {uniform:.2f}" + (f", learning from scratch {again.bits:.2f}" if again else "")
        said = f"Learning {exactly(best.labels)} labels takes {best.bits:.2f} with {best.regime}{low}, {others}"
        if again is None:
            yield f"{said}."
        else:
            known = again.bits - best.bits
            yield f"{said}: pretraining {f'already knew {known:.2f}' if known > 0.005 else 'saves nothing'}."
    elif group.classes:
        yield from _one_budget(group)
    else:
        yield "Not in bits: the answers are no classes."
    yield from _how_far_simple_gets(group.largest)


def _grade(share: float) -> str:
    return "Easy" if share <= EASY else "Hard" if share >= HARD else "Middling"


def _one_budget(group: Group) -> Iterator[str]:
    size = labels(group.largest.column)
    at = {regime: known[size] for regime, known in group.bits.items() if size in known}
    uniform = math.log2(group.classes)
    if not at:
        yield "Not in bits: one label budget is too few."
        return
    regime = min(at, key=lambda name: at[name])
    yield f"{_grade(at[regime] / uniform)}: {at[regime]:.2f} of {uniform:.2f} bits a label are open with {regime}."
    yield f"That is with {budget(group.largest.column)}; how fast it falls takes a second label budget."


def _how_far_simple_gets(verdict: Verdict) -> Iterator[str]:
    """How far the best baseline that learns gets from the one that does not to the best regime."""
    column = verdict.column
    floor = best_of(column, [one for one in column.candidates if one.kind == "baseline" and not one.labelled])
    simple = best_of(column, [one for one in column.candidates if one.kind == "baseline" and one.labelled])
    best = best_of(column, regimes_of(column))
    if simple is None or best is None:
        return
    said = f"{_capital(named(column, simple.name))}, without any pretrained model, scores {score(column, simple.name)}"
    start = floor.mean if floor else column.range[1] if column.lower_is_better else column.range[0]
    whole, part = (column.sign * (one.mean - start) for one in (best, simple))
    if math.isfinite(whole) and whole > 0 and 0 <= part <= whole:
        yield f"{said}, {part / whole:.0%} of the way to the best.".replace("%", " %")
    else:
        yield f"{said}; the best regime, {best.name}, {score(column, best.name)}."


def _amount(group: Group, pool: int) -> Iterator[str]:
    sizes = [one.column.size for one in group.clean]
    column = group.largest.column
    of = f" of {pool:,} training examples" if pool and isinstance(column.size, int) else ""
    best = best_of(column, [one for one in regimes_of(column) if one.labelled])
    if len(sizes) < 2 or best is None:
        yield f"{_capital(budget(column))}{of}: what more would bring takes a second budget."
        return
    before = group.clean[-2].column
    found, doublings = gain(before, column, best.name), math.log2(labels(column) / labels(before))
    tried = f"Up to {budget(column)}{of}"
    if found is None:
        yield f"{tried}; whether more would help is not known."
        yield f"{best.name} has too few seeds in common at two sizes."
    else:
        each = numbers.score(found.mean / doublings)
        verdict = _more(found.low / doublings, found.high / doublings, column.tolerance)
        yield f"{tried}; {verdict}."
        yield f"From {before.size} to {column.size} {best.name} gained {interval(found)}, {each} a doubling."
    yield from _foretold(group, best.name)
    yield from _worth(group)


def _more(low: float, high: float, margin: float) -> str:
    """What a doubling brings, in words."""
    if low > margin:
        return "more would help"
    return "more would bring little" if high < margin else "whether more would help is not shown"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _foretold(group: Group, name: str) -> Iterator[str]:
    found = next((one for one in group.curves if one.name == name), None)
    if found is not None:
        size = 2 * found.largest
        mean, low, high = found.score(size)
        yield f"Its curve foretells {numbers.score(mean)} ({numbers.score(low)} to {numbers.score(high)}) with "
        yield f"{exactly(size)} labels."


def _worth(group: Group) -> Iterator[str]:
    """What pretraining saves, at the largest size of which the curve from scratch tells anything."""
    told = [one for one in group.transfers if not (one.at_least and one.extra <= 0)]
    if not told:
        return
    one = next((t for t in reversed(told) if not t.at_least), told[0])
    to = one.size + one.extra
    if one.at_least:
        yield f"Even {exactly(to)} labels do not take {one.scratch} where {one.adapted} is with {exactly(one.size)}."
    elif one.extra < 1:
        yield f"With {exactly(one.size)} labels {one.scratch} does as well as {one.adapted}: pretraining saves none."
    else:
        high = f"{count(one.size + one.high)}" if math.isfinite(one.high) else "more than were tried"
        yield (
            f"What {one.adapted} does with {exactly(one.size)} labels takes {one.scratch} {count(to)} "
            f"(95 %: {count(one.size + one.low)} to {high})."
        )


def _quality(group: Group, summary: Mapping[str, Any], audit: Json, spoilt: Sequence[str]) -> Iterator[str]:
    column = group.largest.column
    suspicious = audit.get("suspicious_share")
    if isinstance(suspicious, int | float):
        yield f"About {numbers.percent(round(suspicious, 3))} of the labels look wrong (bench audit)."
    slopes = {one.name: one for one in group.slopes}
    if slopes:
        rate = group.rates[-1]
        name = group.largest.guess if group.largest.guess in slopes else next(iter(slopes))
        one = slopes[str(name)]
        lost = sorted((-one.low * rate, -one.high * rate))
        left = [slopes[other] for other in (*group.largest.adequate, *group.largest.open) if other in slopes]
        steadiest = max(left, key=lambda other: other.per_unit, default=one)
        yield (
            f"With {numbers.percent(rate)} of the labels wrong {one.name} loses {numbers.score(-one.per_unit * rate)} "
            f"(95 %: {numbers.score(lost[0])} to {numbers.score(lost[1])})."
        )
        if steadiest.name != one.name:
            yield f"Of what may be enough {steadiest.name} loses least ({numbers.score(-steadiest.per_unit * rate)})."
        yield from _changed(group)
    yield from spoilt
    if slopes or spoilt:
        pass
    elif isinstance(suspicious, int | float):
        yield "What wrong labels cost was not tried (label_noise in the suite)."
    else:
        yield "Not known: wrong labels were not tried."
        yield "label_noise in the suite shows what they cost; bench audit looks for wrong classes and sets of labels."
    yield from _found(summary)
    yield from _resolution(column)


def _changed(group: Group) -> Iterator[str]:
    changed, compared = group.changed
    if compared:
        yield f"The verdict changes in {changed} of {compared} places."
    else:
        yield "Whether that changes the verdict is undecided."


def _found(summary: Mapping[str, Any]) -> Iterator[str]:
    """What was counted when the data was read."""
    counted = summary.get("duplicates")
    if not isinstance(counted, dict):
        return
    words = {
        "train": "repeated",
        "contradicting": "contradicting each other",
        "leaks": "also in the test split, dropped",
    }
    if not summary.get("classes"):  # other answers are not compared
        del words["contradicting"]
    known = [f"{counted[key]:,} {said}" for key, said in words.items() if isinstance(counted.get(key), int)]
    if known:
        yield f"Training examples: {listed(known)}."


def _resolution(column: Column) -> Iterator[str]:
    """How large a difference has to be to be seen."""
    best = best_trained(column)
    others = [one for one in regimes_of(column) if best is not None and one.name != best.name and one.labelled]
    second = best_of(column, others)
    lead = column.difference(best.name, second.name) if best and second else None
    if lead is not None and lead.high > lead.low:
        seen = f"{lead.examples:,} {drawn_units(best)} and " if best and lead.examples > 1 else ""
        yield f"{seen}{lead.seeds} seeds tell apart what differs by {numbers.score((lead.high - lead.low) / 2)}."


def tables(
    findings: Findings, said: Sequence[Mapping[str, Sequence[str]]], frame: pd.DataFrame, apart: Mapping[str, str]
) -> list[Table]:
    """A table of questions for each task and model where they are few, else a row each.

    said: of each group; apart: what is said of an environment beside a model, where there are several.
    """
    silent = _silent(findings, frame)
    notes = [f"Nothing has a score yet: {listed(silent)}."] if silent else []
    places = [f"{group.task} with {group.model}{apart[group.environment]}" for group in findings.groups]
    if not places:
        nothing = [cells(question, "Nothing has a score yet.") for question in QUESTIONS]
        return [Table("Answers.", ["question", "answer"], "lw", nothing, notes=notes, name="answers")]
    told = list(zip(places, map(summary, findings.groups), said, strict=True))
    if len(places) > FEW:
        rows = [
            [Cell(place), Cell(verdict, bold=True), *(Cell(sentences[0]) for sentences in one.values())]
            for place, verdict, one in told
        ]
        return [
            Table("Answers.", ["task", "verdict", *QUESTIONS], "lwwwww", rows, notes=[*notes, MORE], name="answers")
        ]
    found = []
    for place, verdict, one in told:
        rows = [[Cell(question, bold=True), Cell(" ".join(sentences))] for question, sentences in one.items()]
        found.append(
            Table(f"{place}. {_capital(verdict)}.", ["question", "answer"], "lw", rows, name=f"answers {place}")
        )
    return [*found[:-1], replace(found[-1], notes=notes)]


def _silent(findings: Findings, frame: pd.DataFrame) -> list[str]:
    spoken = {(group.task, group.model) for group in findings.groups}
    possible = frame[frame["state"] != "not_applicable"]
    pairs = possible[["task", "model"]].drop_duplicates().itertuples(index=False, name=None)
    return [f"{task} with {model}" for task, model in pairs if (task, model) not in spoken]
