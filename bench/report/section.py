"""One suite's part of a report: its tables, notes and figures, the same for every format."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import pandas as pd

from bench.analysis import costs
from bench.analysis import setup as how
from bench.analysis.also_test import also_test
from bench.analysis.audited import audits_of
from bench.analysis.failures import failures, left_out
from bench.analysis.forgetting import forgetting
from bench.analysis.frame import Results, size_order, tidy
from bench.analysis.input_noise import side_by_side
from bench.analysis.overview import Overview, overview
from bench.analysis.pivot import Asked, pivot
from bench.analysis.reported import reported as published
from bench.analysis.task_sequence import sequence
from bench.analysis.verdict.findings import Findings, findings
from bench.planning import trial_counts
from bench.report import answers, environment, input_noise, numbers, overview_table, reported, setup, tables, verdicts
from bench.report.asked import table as asked_table
from bench.report.table import Table
from bench.store import records

COLUMN, PAGE = 3.3, 6.5
"""Inches: how wide a column, and a page of two, is in a paper."""
MOST_PANELS = 15
"""Tasks and models in one figure, which fill a page."""
MOST_PLACES = 3
"""Tasks and models that a remark names."""


@dataclass(frozen=True)
class Figure:
    """`rows` of the tidy frame against `x`; a file of it, saved as `stem` with each format's ending, draws those of the
    first tasks and models.

    regimes: (kind, name) of all in the report, for a regime to look the same in each figure.
    """

    stem: str
    caption: str
    x: Literal["labels", "noise", "condition"]
    rows: pd.DataFrame
    regimes: list[tuple[str, str]]

    @property
    def width(self) -> float:
        """Inches: of a column of a paper for one task and model, else of its page."""
        return COLUMN if len(self.rows[["task", "model"]].drop_duplicates()) == 1 else PAGE

    @property
    def drawn(self) -> pd.DataFrame:
        """The rows that fit a page."""
        places = self.rows.groupby(["task", "model"], sort=False).ngroup()
        return self.rows[places < MOST_PANELS]


class Part(NamedTuple):
    """Tables that answer one question, and figures of the same, under a title."""

    title: str
    tables: list[Table]
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Section:
    """What a report says about one suite.

    results: what it is said of; regimes: (kind, name) of all in the report; frame: its cells; also_test_scores: its
    scores on also_test sets; how: how they were set up.
    """

    name: str
    results: Results
    regimes: list[tuple[str, str]]
    headline: str
    frame: pd.DataFrame
    also_test_scores: pd.DataFrame
    how: pd.DataFrame
    asked: list[Table]
    asked_frame: pd.DataFrame
    findings: Findings
    answered: list[dict[str, list[str]]]
    answers: list[Table]
    verdicts: list[Table]
    overview: list[Table]
    verdict_details: list[Table]
    reported: list[Table]
    scores: list[Table]
    input_noise: list[Table]
    also_test: list[Table]
    costs: list[Table]
    forgetting: list[Table]
    sequences: list[Table]
    setup: list[Table]
    failures: list[Table]
    notes: list[str]
    figures: list[Figure]

    @property
    def parts(self) -> list[Part]:
        """Everything but the notes, in the order in which every format shows it; what is empty is left out."""
        parts = [
            Part("The table asked for", self.asked),
            Part("Answers", self.answers),
            Part("Verdicts", self.verdicts),
            Part("Overview", self.overview),
            Part("Reported and ours", self.reported),
            Part("Scores", self.scores, self.figures),
            Part("Input noise", self.input_noise),
            Part("Behind the verdicts", self.verdict_details),
            Part("Further test sets", self.also_test),
            Part("Costs", self.costs),
            Part("Forgetting", self.forgetting),
            Part("After another task", self.sequences),
            Part("Setup", self.setup),
            Part("Without a score", self.failures),
        ]
        return [part for part in parts if part.tables or part.figures]

    @property
    def tables(self) -> list[Table]:
        """All tables, in the order they are shown."""
        return [table for part in self.parts for table in part.tables]


def _headline(of: Overview) -> str:
    words = ((tables.state(status), count) for status, count in of.statuses.items() if status not in ("ok", "failed"))
    ways = ", ".join(f"{count:,} {word}" for word, count in sorted(words))
    half = " These are the results so far; only means over the same seeds are compared." if of.open else ""
    return (
        f"{trial_counts.said(of.trials)}{f' ({ways})' if ways else ''}. Their times add up to "
        f"{numbers.duration(of.seconds)}, {numbers.duration(of.tuning_seconds)} of it for tuning.{half}"
    )


def _environments(results: Results, letters: dict[str, str]) -> Iterator[str]:
    for name, letter in letters.items():
        record = next(r for r in results.records if records.environment(r) == name)
        label = f"Environment {letter} ({name})" if len(letters) > 1 else "Environment"
        yield f"{label}: {environment.line(record['environment'])}."


def _older(results: Results) -> Iterator[str]:
    """That the folder is of an older protocol."""
    if "protocol" not in results.plan and any(cell["tuning"] for cell in results.plan["cells"]):
        yield (
            "Tuned by the protocol of version 0.2: once for all seeds, on other, clean labels, so that the luck of "
            "tuning is in no interval. What sees labels must run again (`bench run`)."
        )


def _untimed(results: Results) -> Iterator[str]:
    """Whose latency stands in no table, of records of an earlier version."""
    planned = (r for r in results.records if r["trial"]["id"] in results.plan["trials"])
    trials = {r["trial"]["id"] for r in planned if costs.timed_all_templates(r)}
    if regimes := dict.fromkeys(results.plan["trials"][trial]["regime"] for trial in sorted(trials)):
        yield f"No latency of {', '.join(regimes)}: an earlier version took the time of all templates at once."


class _Place(NamedTuple):
    """A task, model and environment in words and as part of a table's name, and its rows."""

    title: str
    name: str
    rows: pd.DataFrame


def _places(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[_Place]:
    """Each task, model and environment with its rows; a row of no environment stands in all of them."""
    for (task, model), rows in frame.groupby(["task", "model"], sort=False):
        known = [name for name in letters if (rows["environment"] == name).any()] or [""]
        for name in known:
            of = rows[rows["environment"].isin([name, ""])]
            regimes = dict.fromkeys(rows["regime"])
            order = of["regime"].map({regime: place for place, regime in enumerate(regimes)})
            apart = f"environment {letters[name]}" if name and len(letters) > 1 else ""
            title = f"{task} with {model}{f', {apart}' * bool(apart)}"
            yield _Place(title, f"{task} {model} {apart}", of.loc[order.sort_values(kind="stable").index])


def _scores(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[Table]:
    for title, name, rows in _places(frame, letters):
        for noise in sorted(rows["noise"].unique()):
            wrong = f", {numbers.percent(noise)} of the labels wrong" if noise else ""
            table = tables.scores(rows[rows["noise"] == noise], title + wrong)
            yield replace(table, name=f"scores {name}" + (f" noise {100 * noise:g}" if noise else ""))


def _also_test(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[Table]:
    for title, name, rows in _places(frame, letters):
        noise = rows["noise"].min()
        wrong = f", {numbers.percent(noise)} of the labels wrong" if noise else ""
        yield replace(tables.also_test(rows[rows["noise"] == noise], title + wrong), name=f"also-test {name}")


def _costs(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[Table]:
    for title, name, rows in _places(frame, letters):
        rows = rows[rows["noise"] == rows["noise"].min()]
        ran = rows[rows["seeds"] > 0]
        if len(ran):
            labelled = ran[ran["labels"] != 0]
            largest = max((labelled if len(labelled) else ran)["size"], key=size_order)
            table = tables.costs(rows[rows["size"] == largest], f"{title}, {largest} labels")
            yield replace(table, name=f"costs {name}")


def _largest(
    table: Callable[[pd.DataFrame, str], Table], name: str, frame: pd.DataFrame, letters: dict[str, str]
) -> Iterator[Table]:
    """Of each task, model and environment what was measured at the largest size, with the fewest labels wrong."""
    for title, place, rows in _places(frame, letters):
        clean = rows[rows["noise"] == rows["noise"].min()]
        largest = max(clean["size"], key=size_order)
        yield replace(table(clean[clean["size"] == largest], f"{title}, {largest} labels"), name=f"{name} {place}")


def _figures(
    frame: pd.DataFrame, letters: dict[str, str], suffix: str, regimes: list[tuple[str, str]]
) -> Iterator[Figure]:
    for name, letter in letters.items():
        of = frame[(frame["environment"] == name) & frame["compared"] & frame["labels"].notna()]
        if of.empty:
            continue
        end = suffix + (f"-{letter}" if len(letters) > 1 else "")
        where = f", environment {letter}" if len(letters) > 1 else ""
        if len(of) < ((frame["environment"] == name) & frame["mean"].notna() & frame["labels"].notna()).sum():
            where += "; without cells of fewer seeds than others"
        if (several := len(of[["task", "model"]].drop_duplicates())) > MOST_PANELS:
            where += f"; the first {MOST_PANELS} of {several} tasks and models, cells.csv has all"
        yield Figure(
            f"learning-curves{end}",
            f"Score by label budget with 95 % intervals{where}.",
            "labels",
            of[of["noise"] == of["noise"].min()],
            regimes,
        )
        if of["noise"].nunique() > 1:
            noisy = of[of["noise"] > 0]
            common = of.merge(noisy[["task", "model", "size"]].drop_duplicates())
            largest = common.groupby(["task", "model"])["size"].transform(lambda sizes: max(sizes, key=size_order))
            yield Figure(
                f"label-noise{end}",
                f"Score by the fraction of wrong labels, at the largest label budget, with 95 % intervals{where}.",
                "noise",
                common[common["size"] == largest],
                regimes,
            )


def _conditions(
    results: Results, frame: pd.DataFrame, letters: dict[str, str], suffix: str, regimes: list[tuple[str, str]]
) -> Iterator[Figure]:
    rows = side_by_side(results, frame[frame["compared"]])
    for name, letter in letters.items():
        of = rows[rows["environment"] == name]
        if len(of):
            several = len(letters) > 1
            yield Figure(
                f"input-noise{suffix}" + f"-{letter}" * several,
                "Score by input noise, at the largest label budget, with 95 % intervals"
                f"{f', environment {letter}' * several}.",
                "condition",
                of,
                regimes,
            )


def _remarks(suite: Overview) -> Iterator[str]:
    """What the records note, the most frequent first: of how many trials, and of which task and model."""
    for note, places in sorted(suite.remarks.items(), key=lambda one: -one[1].total()):
        count = places.total()
        named = [f"{task} with {model}" for task, model in places]
        more = f" and {len(named) - MOST_PLACES} more" if len(named) > MOST_PLACES else ""
        yield f"Of {count} trial{'s' * (count > 1)} ({', '.join(named[:MOST_PLACES])}{more}): {note}."


def sections(results: Sequence[Results], asked: Asked | None = None) -> list[Section]:
    """One section per suite. asked: a table of one's own, which opens the report."""
    (frame, columns), built = tidy(results), []
    regimes = list(frame[["kind", "regime"]].drop_duplicates().itertuples(index=False, name=None))
    for index, one in enumerate(results, start=1):
        own = frame[frame["suite"] == one.name] if len(results) > 1 else frame
        letters = {
            name: string.ascii_uppercase[i] if i < 26 else f"E{i + 1}" for i, name in enumerate(one.environments)
        }
        suffix = f"-{index}" if len(results) > 1 else ""
        suite, also_test_scores = overview(one), also_test(one)
        lock, unread = how.lock_of(one)
        settings = how.setup(one, lock)
        states = own["state"].ne("not_applicable").groupby([own["task"], own["model"]])
        possible = own[states.transform("any")]
        own_table = pivot(one, own, asked) if asked else None
        found = findings(one, columns)
        answered = answers.answered(found, possible, lock, audits_of(one), partial(input_noise.sentences, one, columns))
        apart = {"": ""} | {n: f", environment {letter}" * (len(letters) > 1) for n, letter in letters.items()}
        built.append(
            Section(
                name=one.name,
                results=one,
                regimes=regimes,
                headline=_headline(suite),
                frame=own,
                also_test_scores=also_test_scores,
                how=settings,
                asked=[asked_table(own_table)] if own_table else [],
                asked_frame=own_table.frame if own_table else pd.DataFrame(),
                findings=found,
                answered=answered,
                answers=answers.tables(found, answered, possible, apart),
                verdicts=verdicts.said(found, apart),
                overview=overview_table.table(found, apart),
                verdict_details=[*verdicts.in_numbers(found, apart), *verdicts.over_all(found)],
                reported=reported.table(published(one, own)),
                scores=list(_scores(possible, letters)),
                input_noise=list(input_noise.tables(one, possible, apart)),
                also_test=list(_also_test(also_test_scores, letters)),
                costs=list(_costs(possible, letters)),
                forgetting=list(_largest(tables.forgetting, "forgetting", forgetting(one), letters)),
                sequences=list(_largest(tables.sequence, "after", sequence(one), letters)),
                setup=setup.tables(one, settings, _environments(one, letters)),
                failures=tables.rendered([tables.failures(failures(one)), tables.not_applicable(own)]),
                notes=[*_older(one), *left_out(one), *unread, *how.remarks(lock), *_remarks(suite), *_untimed(one)],
                figures=[
                    *_figures(possible, letters, suffix, regimes),
                    *_conditions(one, possible, letters, suffix, regimes),
                ],
            )
        )
    return built
