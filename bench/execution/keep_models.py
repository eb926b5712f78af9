"""Has the trials that were chosen done once more and their models kept, below `models` in the suite's results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.errors import BenchError, StoreError
from bench.execution.executor import Executor, Slot
from bench.store import paths, schema_version
from bench.store.record import Record
from bench.store.results_folder import Home
from bench.suite.trial import Json, Trial

Say = Callable[[str], None]


@dataclass(frozen=True)
class Kept:
    """One model's folder, how it is loaded, its test score, and the one in its record."""

    task: str
    model: str
    regime: str
    folder: Path
    load: str
    metric: str
    score: float
    recorded: float


def name_of(trial: Trial) -> str:
    """The name of a trial's folder: its parts in letters that any file system takes, and the id."""
    names = (trial.names.task, trial.names.model, trial.names.regime)
    return "-".join([*(re.sub(r"[^A-Za-z0-9.]+", "_", name).strip("._") or "_" for name in names), trial.id[:8]])


class Choice(Protocol):
    """What was chosen for one task and model (`bench.analysis.best_trials.Choice`)."""

    @property
    def task(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def regime(self) -> str: ...
    @property
    def record(self) -> Record | None: ...
    @property
    def decided(self) -> bool: ...


@dataclass(frozen=True)
class Wanted:
    """A trial whose model is to be kept, its record, and whether the verdict that chose it is decided."""

    trial: Trial
    record: Record
    decided: bool


def wanted(choices: Iterable[Choice], trials: Mapping[str, Trial], say: Say) -> list[Wanted]:
    """The choices that name a trial of the suite as it is now; why the others do not is said."""
    found = []
    for one in choices:
        where = f"{one.task}, {one.model}"
        if one.record is None:
            what = f"the verdict is {one.regime}, which is no regime" if one.regime else "there is no verdict"
            say(f"{where}: no model is kept: {what}")
        elif one.record["trial"]["id"] not in trials:
            say(f"{where}: no model is kept: the suite does not hold that trial any more; `bench run` it again")
        else:
            found.append(Wanted(trials[one.record["trial"]["id"]], one.record, one.decided))
    return found


def missing(models: Sequence[Wanted], home: Home) -> bool:
    """Whether one of the models is not kept yet."""
    return not all(paths.model(home.folder, name_of(one.trial)).exists() for one in models)


def keep(
    models: Sequence[Wanted], home: Home, executor: Executor, slot: Slot, files: Mapping[str, Any], say: Say
) -> list[Kept]:
    """Train once more what is not kept yet. files: config files by the model's name. What cannot be kept is said.
    Raises StoreError."""
    found = []
    for one in models:
        trial, names = one.trial, one.trial.names
        recorded = float(one.record["scores"]["test"][one.record["scores"]["metric"]])
        target = paths.model(home.folder, name_of(trial))
        if not target.exists():
            home.check()
            say(f"{names.task}, {names.model}: training {names.regime} once more, seed {trial.seed}, to keep its model")
            about = {"trial": _portable(trial), "attempt": one.record.get("attempt"), "recorded": recorded,
                     "verdict": "decided" if one.decided else "undecided: the best choice as things stand"}  # fmt: skip
            order = {
                "do": "keep", "kind": "the model of", "name": name_of(trial), "trial": trial.to_json(),
                "attempt": "keep", "results": str(home.folder), "home": [home.device, home.inode], "checkpoint": None,
                "files": files[names.model], "target": name_of(trial), "about": about,
                "place": {"device": slot.device, "threads": slot.threads},
            }  # fmt: skip
            try:
                executor.call(order)
            except StoreError:
                raise
            except BenchError as error:
                say(f"{names.task}, {names.model}: no model is kept: {error}")
                continue
        found.append(_kept(target, trial, recorded))
    return found


def _portable(trial: Trial) -> Json:
    """A trial without where its files lie on this machine: the folder may be given away."""
    return {key: value for key, value in trial.to_json().items() if key != "locations"}


def _kept(target: Path, trial: Trial, recorded: float) -> Kept:
    try:
        about = schema_version.read(target / "kept.json")
        auto, metric, score = str(about["auto"]), str(about["metric"]), float(about["score"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{target}: holds no whole model ({error}); remove it and run again") from error
    own = ", trust_remote_code=True" if (target / "adapted.py").exists() else ""
    load = f'transformers.{auto}.from_pretrained("{target}"{own})'
    if not auto:  # a network of a user's own, or of torchvision's
        load = f'safetensors.torch.load_file("{target / "model.safetensors"}")'
    names = trial.names
    return Kept(names.task, names.model, names.regime, target, load, metric, score, recorded)
