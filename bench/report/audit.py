"""What `bench audit` found of a task's data, in sentences and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.printable import printable
from bench.report.numbers import NONE, score
from bench.report.table import Table, cells

if TYPE_CHECKING:
    from bench.audit.task import Audit

SHOWN = 10
"""Examples that a table holds; `--json` and audit.json have all."""


def lines(found: Audit) -> list[str]:
    """A sentence for each thing that was looked at."""
    rows = ", ".join(f"{split} {count:,}" for split, count in found.rows.items())
    said = [f"{printable(found.task)} ({found.kind}): {rows} examples"]
    if found.majority is not None:
        said.append(f"balance: {_balance(found)}")
    duplicates = found.summary.get("duplicates", {})
    several = f", {duplicates.get('contradicting', 0):,} inputs with several labels" if found.classes else ""
    said.append(f"exact duplicates: {duplicates.get('train', 0):,} in train{several}")
    leaks = f"{duplicates.get('leaks', 0):,} training examples also stand in a test set"
    said.append(f"overlap: {leaks}, and are left out of training")
    if found.near is not None:
        count = found.near_count
        differ = f"; {count['contradicting']:,} with different labels" if found.classes else ""
        said.append(
            f"near duplicates: {count['train']:,} pairs in train, {count['test']:,} in test, {count['overlap']:,} "
            f"between them{differ}{_among(found, 'train', 'test')}"
        )
    if found.suspects is not None:
        said.append(
            f"suspicious labels: {len(found.suspects):,} ({found.suspicious_share:.1%}), judged by a probe on "
            f"{_by(found)}{_among(found, 'train')}"
        )
    if found.longer is not None:
        cut = ", ".join(f"{count:,} of {split}" for split, count in found.longer.items())
        said.append(f"lengths: {cut} have more words than max_length {found.max_length} has tokens, and are cut")
    said += [f"remark: {printable(one)}" for one in found.summary.get("remarks", ())]
    return said + [f"not looked at: {printable(one)}" for one in found.unlooked]


def _by(found: Audit) -> str:
    own = {"tf-idf": "words", "pixels": "16 × 16 pixels"}
    return own.get(found.features, f"features of {printable(found.features)}")


def _among(found: Audit, *splits: str) -> str:
    part = [f"{found.looked_at[s]:,} of {s}" for s in splits if found.looked_at[s] < found.rows[s]]
    return f" (among {' and '.join(part)})" if part else ""


def _balance(found: Audit) -> str:
    counts = {word: one.get("train", 0) for word, one in found.classes.items()}
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    return (
        f"{len(counts)} labels, the most frequent '{printable(most)}' {found.majority:.1%} of train, the rarest "
        f"'{printable(least)}' {counts[least]:,} examples"
    )


def tables(found: Audit) -> list[Table]:
    """The most suspicious labels, and the nearest duplicates between train and test or with different labels."""
    made = []
    if found.suspects:
        rows = [
            cells(one.row, *map(printable, (one.given, one.suggested)), score(one.probability), printable(one.input))
            for one in found.suspects[:SHOWN]
        ]
        head = ["row", "label", "suggested", "probability", "input"]
        made.append(Table(_title("The most suspicious labels", len(found.suspects)), head, "rllrw", rows))
    worse = [one for one in found.near or () if one.a[0] != one.b[0] or one.contradicting]
    if worse:
        rows = [
            cells(f"{one.a[0]} {one.a[1]}", f"{one.b[0]} {one.b[1]}", score(one.cosine),
                  "differ" if one.contradicting else NONE, *map(printable, one.inputs))
            for one in worse[:SHOWN]
        ]  # fmt: skip
        head = ["one", "other", "cosine", "labels", "input", "other input"]
        made.append(Table(_title("Near duplicates across splits or labels", len(worse)), head, "llrlww", rows))
    return made


def _title(said: str, count: int) -> str:
    return f"{said} ({SHOWN} of {count:,})" if count > SHOWN else said
