"""Verdicts as sentences that can be quoted, and as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from bench.analysis.column import Column
from bench.analysis.verdict.costs import Prefer
from bench.analysis.verdict.crossover import Crossover
from bench.analysis.verdict.decision import Verdict
from bench.analysis.verdict.findings import Findings, Group, best_of, regimes_of
from bench.analysis.verdict.recommend import Recommendation
from bench.analysis.verdict.settle import MOST_SEEDS
from bench.report import numbers
from bench.report.table import Cell, Table, cells
from bench.report.wording import (
    budget,
    candidates,
    count,
    drawn_units,
    exactly,
    listed,
    named,
    probability,
    score,
    tolerance,
)

MOST = 4
"""Regimes between which it is undecided that are named."""
GUESSING = ("majority", "mean")
"""Baselines that look at no example."""
CHEAPEST: dict[Prefer, str] = {
    "train-time": "trains fastest", "memory": "takes the least memory", "stored": "takes the least to store",
    "inference": "answers fastest", "total": "takes the least time in all",
}  # fmt: skip
_COST: dict[Prefer, tuple[str, Callable[[float], str]]] = {
    "train-time": ("trains in {} with its tuning", numbers.duration),
    "memory": ("needs {} at its peak", lambda value: numbers.quantity(value, "B")),
    "stored": ("takes {} to store", lambda value: numbers.quantity(value, "B")),
    "inference": ("answers in {} an example", numbers.duration),
    "total": ("takes {} from start to end", numbers.duration),
}


def what(verdict: Verdict) -> str:
    """The verdict without its place: what to do, how surely, and what would tell more."""
    return " ".join(_said(verdict))


def sentence(verdict: Verdict) -> str:
    """One that can be quoted."""
    column = verdict.column
    return f"{column.task} with {column.model}, {budget(column)}: {what(verdict)}"


def _said(verdict: Verdict) -> Iterator[str]:
    column = verdict.column
    if verdict.over:
        yield f"Over the limits: {listed(list(verdict.over))}."
    if verdict.why:
        yield f"No verdict: {verdict.why}."
    elif verdict.chosen is not None:
        yield from _decided(verdict, verdict.chosen)
    else:
        yield from _undecided(verdict, column)
    if column.candidates and (unscored := [name for name in column.unscored if name not in verdict.over]):
        yield f"Not compared, for want of a score: {listed(unscored)}."


def _decided(verdict: Verdict, chosen: str) -> Iterator[str]:
    column = verdict.column
    one = column.candidate(chosen)
    own, edge = f"{column.metric} {score(column, chosen)}", tolerance(column)
    kind = "baseline" if one.kind == "baseline" else "trained" if one.labelled else "blind"
    within = " within the limits" if verdict.over else ""
    if len(column.candidates) == 1:
        yield f"{named(column, chosen)}: {own}; nothing else is within the limits."
        return
    if chosen in GUESSING and kind == "baseline":
        yield _nothing(column, chosen, within)
        return
    yield {
        "baseline": f"The model does not help: {named(column, chosen)}, without it, has {own}, and nothing tried with "
        f"it{within} is better by more than {edge}.",
        "blind": f"No training: {chosen} is enough ({own}); nothing trained{within} is better by more than {edge}.",
        "trained": f"{chosen} is enough ({own}); nothing else{within} is better by more than {edge}.",
    }[kind]
    cost = verdict.cost[chosen]
    if kind == "trained" and not math.isnan(cost):
        words, form = _COST[verdict.prefer]
        yield f"It {words.format(form(cost))}."
    if cheaper := [name for name in verdict.open if verdict.cost[name] < cost]:
        yield f"{candidates(verdict, cheaper)}, cheaper, may be enough too."


def _nothing(column: Column, chosen: str, within: str) -> str:
    """Where a guess is enough. within: the limits, in words."""
    best = best_of(column, regimes_of(column))
    tried = "" if best is None else f"the best, {best.name}, has {column.metric} {numbers.score(best.mean)}, "
    return (
        f"Nothing tried{within} works: {tried}no more than {tolerance(column)} better than a guess that looks at no "
        f"example ({named(column, chosen)}, {score(column, chosen)})."
    )


def _undecided(verdict: Verdict, column: Column) -> Iterator[str]:
    left = [*verdict.adequate, *verdict.open]
    out = f"{candidates(verdict, verdict.out)} {'are' if len(verdict.out) > 1 else 'is'} out" if verdict.out else ""
    if len(left) > MOST:
        yield f"Undecided: {f'only {out}' if out else 'nothing is out yet'}."
    else:
        leads = f"{candidates(verdict, left, 'or')}{' leads' * (len(left) == 1)}"
        yield f"Undecided: {leads}{f'; {out}' if out else ''}."
    for name, why in verdict.adequacy.unclear.items():
        if column.candidate(name).kind != "baseline":
            yield f"{name} {why}."
    if verdict.guess is None:
        return
    if not math.isnan(verdict.right):
        lost = f" (if not, it loses {numbers.score(verdict.regret)})" if verdict.regret == verdict.regret else ""
        sure = f"{probability(verdict.right)} likely within {tolerance(column)} of the best{lost}"
        yield f"If it must be now, {named(column, verdict.guess)}: {sure}."
    yield from _settled_by(verdict)


def _settled_by(verdict: Verdict) -> Iterator[str]:
    found = verdict.settling
    if found is None:
        return
    have = [one for one in verdict.column.candidates if one.labelled and one.kind != "baseline"]
    seeds = max((len(one.seeds) for one in have), default=0)
    tested, drawn = next(((one.units.shape[1], drawn_units(one)) for one in have if one.units is not None), (0, ""))
    needs = [] if found.seeds is None else [f"{found.seeds} seeds (now {seeds})"]
    needs += [] if found.examples is None else [f"{found.examples:,} {drawn} (now {tested:,})"]
    if found.close:
        yield f"Not even {MOST_SEEDS} seeds would surely tell: the lead may lie on the tolerance itself."
    elif needs:
        yield f"About {listed(needs)} in all would tell."


def _short(verdict: Verdict) -> str:
    """A verdict in a word or two."""
    if verdict.why:
        return numbers.NONE
    if verdict.chosen is not None:
        return named(verdict.column, verdict.chosen)
    return f"undecided ({named(verdict.column, verdict.guess)})" if verdict.guess else "undecided"


def places(verdict: Verdict, apart: Mapping[str, str]) -> str:
    """The place of a verdict in one cell."""
    column = verdict.column
    return f"{column.task} with {column.model}{apart[column.environment]}, {budget(column)}"


def said(findings: Findings, apart: Mapping[str, str]) -> list[Table]:
    """A sentence for each place."""
    if not findings.verdicts:
        return []
    rows = [[Cell(places(one, apart)), Cell(what(one))] for one in findings.verdicts]
    cheapest = CHEAPEST[findings.prefer]
    caption = f"Verdicts: what {cheapest} of what is shown to be at most the tolerance worse than the best."
    return [Table(caption, ["where", "verdict"], "lw", rows, notes=list(_notes(findings)), name="verdicts")]


def _notes(findings: Findings) -> Iterator[str]:
    tolerances = {
        f"{one.column.metric} {tolerance(one.column)}": None
        for one in sorted(findings.verdicts, key=lambda one: one.column.metric)
    }
    said = ", ".join(tolerances) if len(tolerances) <= 6 else "its own for each metric"
    yield f"Tolerance: {said}. Shown: by one-sided paired tests whose errors add up to 5 %."
    yield "bench recommend asks for another cost than the time to train, for limits, and for other sizes."
    for group in findings.groups:
        for one in group.crossovers:
            yield f"{group.task} with {group.model}: {passing(one)}."


def passing(one: Crossover) -> str:
    """Where one regime gives way to another, in words."""
    over = {0: "overtakes", 1: "is worth more than the tolerance over"}.get(
        (one.margin > 0) - (one.margin < 0), "comes within the tolerance of"
    )
    early, late = one.early, one.late
    if one.low >= one.largest:
        return f"{late} {over} {early} beyond {exactly(one.largest)} labels, if at all"
    if math.isinf(one.high) and one.low <= 0:
        return f"where {late} {over} {early} cannot be told from these sizes"
    if one.low <= 0 and one.high <= one.smallest:
        return f"{late} {over} {early} below {exactly(one.smallest)} labels already"
    ends = (
        f"between {count(one.low)} and {count(one.high)}" if one.low > 0 and math.isfinite(one.high)
        else f"above {count(one.low)}" if one.low > 0
        else f"below {count(one.high)}"
    )  # fmt: skip
    at = f" at about {count(one.at)} labels" if one.at == one.at else ""
    return f"{late} {over} {early}{at} (95 %: {ends})"


def in_numbers(findings: Findings, apart: Mapping[str, str]) -> list[Table]:
    """The same with everything that was reckoned."""
    if not findings.verdicts:
        return []
    head = ["where", "verdict", "P(right)", "lost if not", "may be enough", "would tell"]
    rows = [
        cells(
            places(one, apart),
            _short(one),
            probability(one.right),
            numbers.score(one.regret),
            candidates(one, [*one.adequate, *one.open]) if one.adequate or one.open else numbers.NONE,
            " ".join(_settled_by(one)).removeprefix("About ").removesuffix(" in all would tell.") or numbers.NONE,
        )
        for one in findings.verdicts
    ]
    notes = [
        "P(right): that the verdict, or in parentheses what is best as things stand, is within the tolerance of the "
        "best; lost if not: the mean shortfall where it is not; both from 10,000 joint draws of the true means, with a "
        "prior by which the best of the others leads by about the tolerance."
    ]
    return [Table("Verdicts in numbers.", head, "wwrrww", rows, notes=notes, name="verdict-numbers")]


def over_all(findings: Findings) -> list[Table]:
    """What holds over all tasks, and how good these verdicts are."""
    tables = []
    for (model, _), table in findings.across.items():
        rows = [cells(one.name, f"{numbers.score(one.iqm)} ({numbers.score(one.low)} to {numbers.score(one.high)})")
                for one in table]  # fmt: skip
        tables.append(
            Table(
                f"Over the {table[0].columns} tasks of {model}, each with its most labels: interquartile mean of "
                "(score − floor) / (best − floor) over tasks and seeds (95 %).",
                ["regime", "normalised score"],
                "lr",
                rows,
                name=f"across {model}",
            )
        )
    same, pairs = findings.neighbours
    rows = [cells("neighbours in the order of means that cannot be told apart", f"{same} of {pairs}")] if pairs else []
    for one in findings.left_out:
        within = f"{one.within} of {len(one.regrets)} within the tolerance; mean loss {one.mean:.1f} tolerances"
        rows.append(cells(f"verdicts given without {one.way}, judged on it", within))
    if rows:
        tables.append(Table("How good these verdicts are.", ["", ""], "lw", rows, name="verdict-quality"))
    return tables


def summary(group: Group) -> str:
    """A group's verdicts in a line, at the lowest noise rate: `64 labels: undecided (full, 60 % likely); 512 labels:
    lora`."""
    runs: list[tuple[str, list[str]]] = []
    for one in group.clean:
        word, size = _word(one), exactly(one.column.size) if isinstance(one.column.size, int) else "all"
        if runs and runs[-1][0] == word:
            runs[-1][1].append(size)
        else:
            runs.append((word, [size]))
    return "; ".join(f"{listed(sizes)} labels: {word}" for word, sizes in runs)


def _word(verdict: Verdict) -> str:
    if verdict.why:
        return "no verdict"
    if verdict.chosen in GUESSING:
        return "nothing tried works"
    if verdict.chosen or verdict.guess is None:
        return named(verdict.column, verdict.chosen) if verdict.chosen else "undecided"
    sure = f", {probability(verdict.right)} likely" if verdict.right == verdict.right else ""
    return f"undecided ({named(verdict.column, verdict.guess)}{sure})"


def reasons(found: Recommendation) -> Iterator[str]:
    """What a recommendation rests on, a line each: the sizes run, and each candidate with its score and its cost."""
    verdict = found.verdict
    column = verdict.column
    sizes = listed([exactly(size) for size in found.run])
    if len(found.run) > 1:
        where = (
            "beyond"
            if found.outside and float(column.size) > found.run[-1]
            else "below"
            if found.outside
            else "between"
        )
        yield f"Reckoned {where} {sizes} labels, which were run."
    if not verdict.why and verdict.decided:
        yield f"Right with a probability of {probability(verdict.right)}."
    words, form = _COST[verdict.prefer]
    order = [*verdict.adequate, *verdict.open, *verdict.out]
    for name in order:
        standing = {"adequate": "enough", "open": "may be enough", "out": "out"}[verdict.adequacy.standing[name]]
        cost = verdict.cost[name]
        is_baseline = column.candidate(name).kind == "baseline"
        told = "" if math.isnan(cost) or is_baseline or cost == 0 else f", {words.format(form(cost))}"
        yield f"{named(column, name)}: {score(column, name)}, {standing}{told}"
    for name, why in verdict.over.items():
        yield f"{name}: {why}"
