"""Candidates from records: the seeds of a cell with their pseudo-values, and the baselines that records tell of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.analysis.candidate import Candidate
from bench.analysis.cell_scores import collect, scores_on
from bench.analysis.results import Place, Results, scored
from bench.store.record import ByName, Record

CONSTANT = "every test example got the same answer"
"""What the notes of a trial say of constant answers."""


def records_of(place: Place, metric: str, on: str = "") -> list[Record]:
    """Those of its attempts that have this score."""
    found = scored(place)
    return [r for r in found if metric in scores_on(r, on)] if on else found


def candidate(results: Results, row: Mapping[Any, Any], place: Place, metric: str, on: str = "") -> Candidate:
    """One cell's. Raises StoreError where a record has no such score."""
    ok, labelled = records_of(place, metric, on), place.cell["size"] != 0
    key = (tuple((r["trial"]["id"], str(r.get("attempt"))) for r in ok), metric, on)
    sample = results.samples.get(key)
    if sample is None:
        sample = collect(results.folder, ok, metric, labelled=labelled, on=on, unusable=results.unusable)
        results.samples[key] = sample
    return Candidate(
        name=str(row["regime"]),
        kind=str(row["kind"]),
        labelled=labelled,
        seeds=sample.seeds,
        scores=sample.scores,
        values=sample.outcomes,
        examples=sample.examples,
        clusters=sample.clusters,
        failed=failed(place),
        degenerate=sum(map(degenerate, ok)),
        overlap=overlap(results, place),
        complete=bool(row["compared"]),
    )


def failed(place: Place) -> int:
    """How many of its seeds ended without a score of themselves: what was killed from outside may still have one."""
    return sum(r["status"] not in ("ok", "not_applicable") for r in place.attempts)


def degenerate(record: Record) -> bool:
    """Whether all answers to the test split were the same."""
    notes = record.get("facts", {}).get("notes") or []
    return any(str(note).startswith(CONSTANT) for note in notes)


def overlap(results: Results, place: Place) -> float:
    """The part of a seed's labelled examples that another seed's share by chance, drawn from one pool: 0 where the pool
    is not known."""
    size, pool = place.cell["size"], results.pools.get(place.cell["task"])
    if size == "all":
        return 1.0
    return min(float(size) / pool, 1.0) if pool and size else 0.0


def basis(sample: Candidate) -> str:
    """What an interval covers: `seeds and examples`, `examples`, `seeds` or `nothing`."""
    several = len(sample.seeds) > 1
    if sample.values is not None:
        return "seeds and examples" if several else "examples"
    return "seeds" if several else "nothing"


def baselines(records: Sequence[tuple[bool, Record]], metric: str, on: str = "") -> Iterator[Candidate]:
    """Every baseline that a record has: of each seed the score that any of its records tells, for all saw the same
    labels. One that a regime without labels has too, or whose score no seed changes, saw none. records: each with
    whether its regime saw labels."""
    found: dict[str, dict[int, float]] = {}
    blind: dict[str, float] = {}
    for labelled, record in records:
        for name, scores in _told(record, on).items():
            value = (scores or {}).get(metric)
            if value is None:
                continue
            if labelled:
                found.setdefault(name, {}).setdefault(int(record["trial"]["seed"]), float(value))
            else:
                blind[name] = float(value)
    for name in dict.fromkeys([*found, *blind]):
        seeds = tuple(sorted(found.get(name, {})))
        each = np.array([found[name][seed] for seed in seeds])
        if name in blind or (len(seeds) > 1 and np.ptp(each) == 0):
            score = blind[name] if name in blind else float(each[0])
            yield Candidate(name, "baseline", False, (0,), np.array([score]), None, None)
        else:
            yield Candidate(name, "baseline", True, seeds, each, None, None)


def _told(record: Record, on: str) -> Mapping[str, ByName | None]:
    scores = record["scores"]
    return scores.get("also_test_baselines", {}).get(on, {}) if on else scores.get("baselines", {})
