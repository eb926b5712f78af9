"""The contract of task kinds."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from bench.contracts.plugin import P, Plugin

if TYPE_CHECKING:
    from bench.contracts.context import Modality
    from bench.data.column_kinds import Fit, Table
    from bench.data.examples import Examples
    from bench.modeling.models.facts import Facts


class TaskKind(Plugin, Generic[P]):
    """What a task's examples are, how a model takes them, and what is compared. `Parameters`: a `TaskParameters`."""

    Parameters: type[P]
    MODALITY: ClassVar[Modality]
    OBJECTIVE: ClassVar[str]
    """What its models are trained to answer: the name of an objective."""
    METRIC: ClassVar[str]
    """The metric that is compared where the suite names none."""
    COLUMNS: ClassVar[Mapping[str, bool]]
    """{role of a column: whether it is required}."""
    AUGMENTED: ClassVar[tuple[str, ...]] = ("none",)
    """How its training inputs can be varied at random (`Training.augmentation`); of kinds with images."""
    INSTEAD: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """{role: the roles that may stand in its place}."""
    SEVERAL: ClassVar[tuple[str, ...]] = ()
    """Roles that several columns may play, their names separated by commas."""
    BASELINE: ClassVar[str] = ""
    """What `baseline` is called; of kinds whose answers are texts."""
    SYSTEM: ClassVar[str] = ""
    """What a model behind an endpoint is told; of kinds whose answers are texts."""

    @abc.abstractmethod
    def examples(self, dataset: Any, columns: Mapping[str, str], parameters: P, place: str) -> Examples:
        """A split's labelled examples. place: names the data in messages. Raises DataError."""

    def test_examples(self, dataset: Any, columns: Mapping[str, str], parameters: P, place: str) -> Examples:
        """Those of a split that answers are only compared with, which may need less."""
        return self.examples(dataset, columns, parameters, place)

    @abc.abstractmethod
    def encode(self, folder: Path, examples: Examples, parameters: P, target: Path) -> None:
        """Write examples into `target` as the model in `folder` takes them."""

    @abc.abstractmethod
    def load(self, folder: Path) -> Any:
        """What `encode` wrote."""

    def refuses(self, facts: Facts, parameters: P) -> str | None:
        """Why a model cannot do what the parameters ask, or None."""
        return None

    def label_words(self, dataset: Any, columns: Mapping[str, str], parameters: P, place: str) -> Any:
        """The labels that the data themselves name; None for a kind without labels. Raises DataError."""
        return None

    def recognise(self, table: Table) -> Fit | None:
        """How `bench init` would make this kind of task of a data set; None where it would not."""
        return None

    def baseline(self, source: Any) -> str:
        """An answer that takes no model; of kinds whose answers are texts."""
        raise NotImplementedError(f"{type(self).__name__} has no baseline")
