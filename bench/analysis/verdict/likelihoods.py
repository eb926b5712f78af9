"""The likelihood of what is right under each trial's answers, from stored predictions of classes."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from bench.analysis import outcomes
from bench.analysis.results import Results, scored
from bench.analysis.verdict.complexity import scaled_nll
from bench.store import paths
from bench.store.record import Record


class Group(NamedTuple):
    """What one curve of losses is of."""

    task: str
    model: str
    environment: str
    regime: str


class Losses(NamedTuple):
    """by_size: {size: {seed: bits an example}}, size 0 where no label is seen; classes: how many there are."""

    by_size: dict[float, dict[int, float]]
    classes: int


def losses(results: Results, noise: float = 0.0) -> dict[Group, Losses]:
    """Of every regime whose predictions hold probabilities of classes, at one noise rate. Damaged files are passed
    over: the tables of scores say so."""
    found: dict[Group, dict[float, dict[int, float]]] = defaultdict(dict)
    classes: dict[Group, int] = {}
    for place in results.places:
        cell = place.cell
        if cell["size"] != 0 and float(cell["noise"]) != noise:
            continue
        group = Group(cell["task"], cell["model"], place.environment, cell["regime"])
        for record in scored(place):
            one = _bits(results, record)
            if one is None:
                break  # what one seed does not tell, none does
            size = float(cell["size"]) if cell["size"] != "all" else _labels(record)
            classes[group] = one[1]
            found[group].setdefault(size, {})[int(record["trial"]["seed"])] = one[0]
    return {group: Losses(by_size, classes[group]) for group, by_size in found.items() if by_size}


def _labels(record: Record) -> float:
    facts = record.get("facts", {})
    return float((facts.get("train_examples") or 0) + (facts.get("validation_examples") or 0))


def _bits(results: Results, record: Record) -> tuple[float, int] | None:
    """(bits an example, classes); None where the predictions tell no probabilities of classes."""
    path = paths.predictions(results.folder, record["trial"]["id"], str(record.get("attempt")), "")
    try:
        table = outcomes.table(path)
    except (FileNotFoundError, ValueError):
        return None
    if not {"label", "log_probabilities"} <= set(table.column_names) or "choices" in table.column_names:
        return None
    flat = table["log_probabilities"].combine_chunks()
    width = len(flat[0]) if len(flat) else 0
    values = np.asarray(flat.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    labels = np.asarray(table["label"].to_numpy(), dtype=np.int64)
    if width < 2 or len(values) != width * len(labels) or not np.isfinite(values).any():
        return None
    if labels.min() < 0 or labels.max() >= width:
        return None
    return scaled_nll(values.reshape(len(labels), width), labels), width
