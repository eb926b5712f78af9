"""One suite's part of a report: its tables, notes and figures, the same for every format."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bench.analysis.also_test import also_test
from bench.analysis.failures import failures, left_out
from bench.analysis.forgetting import forgetting
from bench.analysis.frame import Results, size_order
from bench.analysis.frame import cells as tidy
from bench.analysis.overview import Overview, overview
from bench.analysis.sequence import sequence
from bench.report import environment, numbers, tables
from bench.report.tables import Table
from bench.store import records


@dataclass(frozen=True)
class Figure:
    """One figure file: `rows` of the tidy frame against `x`, saved as `stem` with each format's ending."""

    stem: str
    caption: str
    x: Literal["labels", "noise"]
    rows: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """What a report says about one suite. frame: its cells; further: its scores on further test sets."""

    name: str
    headline: str
    frame: pd.DataFrame
    further: pd.DataFrame
    scores: list[Table]
    also_test: list[Table]
    costs: list[Table]
    forgetting: list[Table]
    sequences: list[Table]
    failures: list[Table]
    notes: list[str]
    figures: list[Figure]

    @property
    def tables(self) -> list[Table]:
        """All tables, in the order they are shown."""
        return [
            *self.scores, *self.also_test, *self.costs, *self.forgetting, *self.sequences, *self.failures
        ]  # fmt: skip


def _headline(of: Overview) -> str:
    failed = {tables.state(s): n for s, n in of.trials.items() if s not in ("ok", "missing", "not_applicable") and n}
    ways = ", ".join(f"{count} {status}" for status, count in sorted(failed.items()))
    ways = f" ({ways})" if set(failed) - {"failed"} else ""
    rest = f", {of.trials['not_applicable']} not applicable" if of.trials["not_applicable"] else ""
    half = " These are the results so far; only means over the same seeds are compared." if of.done < of.planned else ""
    return (
        f"{of.done:,} of {of.planned:,} trials done; {of.trials['ok']:,} ok, {sum(failed.values()):,} failed{ways}, "
        f"{of.trials['missing']:,} missing{rest}. Their times add up to {numbers.duration(of.seconds)}, "
        f"{numbers.duration(of.tuning_seconds)} of it for tuning.{half}"
    )


def _environments(results: Results, letters: dict[str, str]) -> Iterator[str]:
    for name, letter in letters.items():
        record = next(r for r in results.records if records.environment(r) == name)
        label = f"Environment {letter} ({name})" if len(letters) > 1 else "Environment"
        yield f"{label}: {environment.line(record['environment'])}."


def _places(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each task, model and environment with its rows; a row of no environment stands in all of them."""
    for (task, model), rows in frame.groupby(["task", "model"], sort=False):
        known = [name for name in letters if (rows["environment"] == name).any()] or [""]
        for name in known:
            of = rows[rows["environment"].isin([name, ""])]
            regimes = dict.fromkeys(rows["regime"])
            order = of["regime"].map({regime: place for place, regime in enumerate(regimes)})
            where = f", environment {letters[name]}" if name and len(letters) > 1 else ""
            yield f"{task} with {model}{where}", of.loc[order.sort_values(kind="stable").index]


def _scores(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[Table]:
    for title, rows in _places(frame, letters):
        for noise in sorted(rows["noise"].unique()):
            wrong = f", {numbers.percent(noise)} of the labels wrong" if noise else ""
            yield tables.scores(rows[rows["noise"] == noise], title + wrong)


def _also_test(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[Table]:
    for title, rows in _places(frame, letters):
        noise = rows["noise"].min()
        wrong = f", {numbers.percent(noise)} of the labels wrong" if noise else ""
        yield tables.also_test(rows[rows["noise"] == noise], title + wrong)


def _costs(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[Table]:
    for title, rows in _places(frame, letters):
        rows = rows[rows["noise"] == rows["noise"].min()]
        ran = rows[rows["seeds"] > 0]
        if len(ran):
            labelled = ran[ran["labels"] != 0]
            largest = max((labelled if len(labelled) else ran)["size"], key=size_order)
            yield tables.costs(rows[rows["size"] == largest], f"{title}, {largest} labels")


def _largest(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Of each task, model and environment what was measured at the largest size, with the fewest labels wrong."""
    for title, rows in _places(frame, letters):
        clean = rows[rows["noise"] == rows["noise"].min()]
        largest = max(clean["size"], key=size_order)
        yield f"{title}, {largest} labels", clean[clean["size"] == largest]


def _figures(frame: pd.DataFrame, letters: dict[str, str], suffix: str) -> Iterator[Figure]:
    for name, letter in letters.items():
        of = frame[(frame["environment"] == name) & frame["compared"] & frame["labels"].notna()]
        if of.empty:
            continue
        end = suffix + (f"-{letter}" if len(letters) > 1 else "")
        where = f", environment {letter}" if len(letters) > 1 else ""
        if len(of) < ((frame["environment"] == name) & frame["mean"].notna() & frame["labels"].notna()).sum():
            where += "; without cells of fewer seeds than others"
        yield Figure(
            f"learning-curves{end}",
            f"Score by label budget with 95 % intervals{where}.",
            "labels",
            of[of["noise"] == of["noise"].min()],
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
            )


def sections(results: Sequence[Results]) -> list[Section]:
    """One section per suite."""
    frame, built = tidy(results), []
    for index, one in enumerate(results, start=1):
        own = frame[frame["suite"] == one.name] if len(results) > 1 else frame
        letters = {
            name: string.ascii_uppercase[i] if i < 26 else f"E{i + 1}" for i, name in enumerate(one.environments)
        }
        suite, further = overview(one), also_test(one)
        states = own["state"].ne("not_applicable").groupby([own["task"], own["model"]])
        possible = own[states.transform("any")]
        remarks = (f"Of {count} trial{'s' * (count > 1)}: {note}." for note, count in suite.remarks.most_common())
        built.append(
            Section(
                name=one.name,
                headline=_headline(suite),
                frame=own,
                further=further,
                scores=list(_scores(possible, letters)),
                also_test=list(_also_test(further, letters)),
                costs=list(_costs(possible, letters)),
                forgetting=[tables.forgetting(rows, title) for title, rows in _largest(forgetting(one), letters)],
                sequences=[tables.sequence(rows, title) for title, rows in _largest(sequence(one), letters)],
                failures=tables.rendered([tables.failures(failures(one)), tables.not_applicable(own)]),
                notes=[*left_out(one), *remarks, *_environments(one, letters)],
                figures=list(_figures(possible, letters, f"-{index}" if len(results) > 1 else "")),
            )
        )
    return built
