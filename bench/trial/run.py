"""One trial, from load to record."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.contracts import Tick
from bench.errors import Diverged, NotApplicable
from bench.probes import environment
from bench.probes.clock import Stages
from bench.probes.energy import Energy
from bench.probes.guard import Guard, is_device_full, is_host_full
from bench.probes.ledger import Ledger, synchroniser
from bench.probes.memory import release
from bench.store import paths
from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial
from bench.training.checkpoint import until_it_ends
from bench.trial.attempt import Attempt, batches, is_local
from bench.trial.measure import measure
from bench.trial.setup import context_of


def run(order: Json, device: Any, threads: int, tick: Tick, record: Json) -> None:
    """Run the trial `order["trial"]` and fill `record` as far as it gets.

    order: {"trial", "attempt", "results": folder of the suite's results, "home": its device and inode, where they are
    to be the same still, "files": the model's config files, "checkpoint": seconds between two checkpoints, 300 where it
    is not said, None for no checkpoints}
    Raises what went wrong; `status_of` names it.
    """
    trial = Trial.from_json(order["trial"])
    training = Training.model_validate(trial.training or {})
    if not is_local(trial):  # a device that idles meanwhile would tell of its memory and energy
        import torch

        device = torch.device("cpu")
    guard = Guard(order.get("remarks", ()))
    record["started"] = datetime.now(UTC).isoformat(timespec="seconds")
    record["environment"] = environment.describe(device, threads, training.precision, guard)
    halved, energy = 0, Energy(device, guard)
    try:
        with until_it_ends(paths.checkpoints(Path(order["results"]), trial.id)):
            while True:
                try:
                    _try(trial, Attempt(order, device, record["environment"], halved, tick, guard), energy, record)
                    return
                except Exception as error:
                    if not is_device_full(error) or max(batches(training, halved)) == 1:
                        raise
                halved += 1
                micro_batch = batches(training, halved)[0]
                note = f"device out of memory: micro-batch halved to {micro_batch}, effective batch kept"
                record["facts"] = {"notes": [note]}
                release(device)
    finally:
        if guard.notes:
            facts = record.setdefault("facts", {})
            facts["notes"] = [*facts.get("notes", []), *guard.notes]


def status_of(error: BaseException) -> str:
    """The status of a trial that ended in this exception."""
    if isinstance(error, NotApplicable):
        return "not_applicable"
    if isinstance(error, Diverged):
        return "diverged"
    if is_device_full(error):
        return "oom_device"
    return "oom_host" if is_host_full(error) else "failed"


def _try(trial: Trial, attempt: Attempt, energy: Energy, record: Json) -> None:
    """One try with batches halved so often. What is known of its costs is in the record however it ends."""
    ledger = Ledger(attempt.device, Stages(synchroniser(attempt.device), energy.joules), attempt.guard)
    ledger.note(record.get("facts", {}).get("notes", []))
    costs: Json = {}
    record["costs"] = costs
    checkpoint = None
    try:
        with ledger.memory.stage("load"):
            context = context_of(trial, attempt, ledger)
        checkpoint = context.checkpoint
        record["facts"] = {
            "train_examples": len(context.parts["train"].indices),
            "validation_examples": len(context.parts["validation"].indices),
            "test_examples": len(context.parts["test"].indices),
            "noisy_labels": sum(part.wrong for part in context.parts.values()),
            "notes": ledger.notes,
        }
        record["scores"] = {"metric": context.metrics[0]}
        measure(context, ledger, attempt, record)
    finally:
        costs |= ledger.costs()
        if checkpoint is not None and checkpoint.resumed:
            record["facts"]["resumed"] = checkpoint.resumed
