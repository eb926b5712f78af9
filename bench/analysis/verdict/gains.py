"""What one candidate gains from one column to another, as from fewer labels to more."""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.column import Column, Difference


def gain(before: Column, after: Column, name: str) -> Difference | None:
    """How much better it is in `after`, paired by seed and test example; None where no claim is possible."""
    pair = [
        replace(one, name=f"{index}")
        for index, column in enumerate((before, after))
        for one in column.candidates
        if one.name == name
    ]
    return replace(after, candidates=tuple(pair), rows={}).difference("1", "0") if len(pair) == 2 else None
