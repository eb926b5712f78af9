"""Whether two results folders of the same suite hold the same scores, bit for bit.

    python benchmarks/compare_scores.py results/before/quickstart results/after/quickstart

Trials are matched by what the suite calls them, not by their ids, which may change between releases. Exit code 1 where
a score differs or a trial is in one folder alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def trials(folder: Path) -> dict[str, Json]:
    """{what the trial is called: its newest record's status and scores}."""
    found: dict[str, tuple[str, Json]] = {}
    for path in sorted((folder / "records").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            trial = record["trial"]
            name = " · ".join(
                [*(trial["names"][axis] for axis in ("task", "model", "regime")), trial["purpose"]]
                + [f"{key} {json.dumps(trial[key], sort_keys=True)}" for key in ("size", "noise", "seed", "tuned")]
            )
            finished = str(record.get("finished"))
            if name not in found or found[name][0] <= finished:
                found[name] = finished, {"status": record["status"], "scores": _flat(record.get("scores"))}
    return {name: record for name, (_, record) in found.items()}


def _flat(scores: Json | None) -> dict[str, Any]:
    """{path of a score: its value}; baselines stand where older releases kept them."""
    flat: dict[str, Any] = {}

    def add(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                add(inner, path if (key, path) == ("baselines", ()) else (*path, str(key)))
        else:
            flat[".".join(path)] = value

    add(scores or {}, ())
    return flat


def differences(before: dict[str, Json], after: dict[str, Json]) -> list[str]:
    """One line for each trial or score that is not the same."""
    found = [f"only before: {name}" for name in before.keys() - after.keys()]
    found += [f"only after: {name}" for name in after.keys() - before.keys()]
    for name in before.keys() & after.keys():
        one, other = before[name], after[name]
        if one["status"] != other["status"]:
            found.append(f"{name}: {one['status']}, then {other['status']}")
        for path in sorted(one["scores"].keys() | other["scores"].keys()):
            values = one["scores"].get(path), other["scores"].get(path)
            if values[0] != values[1]:
                found.append(f"{name}: {path}: {values[0]!r}, then {values[1]!r}")
    return sorted(found)


def main() -> None:
    """Compare and say so."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    given = parser.parse_args()
    before, after = trials(given.before), trials(given.after)
    if not before:
        sys.exit(f"{given.before} holds no records of a suite")
    found = differences(before, after)
    print(
        "\n".join(found) or f"{len(before)} trials, {sum(len(t['scores']) for t in before.values())} values: the same"
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
