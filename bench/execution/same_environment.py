"""The environment a run goes on in: threads stay what they were, and a cell begun in one is completed in one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.execution.executor import Slot
from bench.planning.plan import Plan, settled
from bench.probes import environment
from bench.store.record import Record
from bench.suite.trial import Json
from bench.trial.attempt import is_local

Here = Callable[[int], Json]
"""What `environment.here` says, of so many threads, on the machine where trials run."""


def kept(
    slots: Sequence[Slot], before: Iterable[Record], asked: int | None, here: Here = environment.here
) -> tuple[list[Slot], str | None]:
    """The slots with as many threads as the newest record of this machine and kind of device was made with, or as are
    asked for; and a sentence where that is not what `slots` would give, or not what it was."""
    device, processor = slots[0].device, here(slots[0].threads)["processor"]
    alike = [r for r in before if (e := r.get("environment")) and e.get("processor") == processor
             and (e.get("device") == "cpu") == (device == "cpu") and e.get("threads")]  # fmt: skip
    newest = max(alike, key=lambda record: record.get("finished") or "", default=None)
    was, shared = newest["environment"]["threads"] if newest else None, slots[0].threads
    threads = asked or was or shared
    said = None
    if was and threads != was:
        said = f"threads a trial: {threads}, not {was} as before: that is another environment"
    elif was and asked is None and was != shared:
        said = (f"threads a trial: {was}, as before, not the {shared} that the cores give now; `--threads {shared}` "
                "changes that and starts another environment")  # fmt: skip
    return [dataclasses.replace(slot, threads=threads) for slot in slots], said


def begun_elsewhere(
    plan: Plan, latest: Mapping[str, Record], slot: Slot, here: Here = environment.here
) -> tuple[set[str], str | None]:
    """The trials to run again, for their cells are incomplete and these seeds were run in another environment; and a
    sentence where a trial of the plan was run in another one and others are to run."""
    again: set[str] = set()
    begun = complete = 0
    changes: dict[str, None] = {}
    for cell in plan.cells:
        left = [t for t in cell.trials if not settled(t, latest, frozenset())]
        device = slot.device if all(is_local(t) for t in cell.trials) else "cpu"
        now = {**here(slot.threads), "device": device}
        found = {t.id: change for t in cell.trials if (change := _change(latest.get(t.id), now))}
        if found and left:
            again |= found.keys()
        begun += bool(found and left)
        complete += bool(found and not left)
        changes |= dict.fromkeys(found.values())
    if not changes:
        return again, None
    said = f"this environment is another one than before ({'; or '.join(list(changes)[:2])})"
    if complete:
        said += f"; cells complete there that stay: {complete}"
    if begun:
        said += f"; cells begun there that are run whole here: {begun} (trials to run again: {len(again)})"
    return again, said


def _change(record: Record | None, now: Json) -> str | None:
    """What is otherwise now than it was for a trial that has its scores, in a few words."""
    if record is None or record["status"] != "ok":
        return None
    was: Json = {**record.get("environment", {})}
    changes = [
        f"{name} {was[name]} → {now[name]}"
        for name in ("python", "platform", "processor", "threads")
        if name in was and was[name] != now[name]
    ]
    packages = was.get("packages") or {}
    changes += [
        f"{name} {packages[name] or 'absent'} → {version or 'absent'}"
        for name, version in now["packages"].items()
        if name in packages and packages[name] != version
    ]
    if "device" in was and (was["device"] == "cpu") != (now["device"] == "cpu"):
        changes.append(f"device {was['device']} → {now['device']}")
    return ", ".join(changes) or None
