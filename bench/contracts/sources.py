"""The contracts of where models and data come from."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic

from bench.contracts.plugin import P, Plugin
from bench.suite.trial import Json

if TYPE_CHECKING:
    from datasets import DatasetDict


class ModelSource(Plugin, Generic[P]):
    """Where models come from. `Parameters`: a `ModelParameters` with a field of the source's own name."""

    Parameters: type[P]
    LOCAL: ClassVar[bool] = True
    """Whether its models run here, and not behind an endpoint."""

    @abc.abstractmethod
    def lock(self, parameters: P) -> Json:
        """{"fingerprint", "files": the small config files, …} of what the parameters name now. Raises ModelError."""

    @abc.abstractmethod
    def fetch(self, parameters: P, fingerprint: str) -> Path:
        """The local folder of exactly what was locked. Raises ModelError."""

    def fingerprint(self, parameters: P) -> str | None:
        """The fingerprint of what lies there now; None where that is not cheaply told."""
        return None


class DataSource(Plugin, Generic[P]):
    """Where data come from. `Parameters`: a `SourceParameters` with a field of the source's own name."""

    Parameters: type[P]

    @abc.abstractmethod
    def lock(self, parameters: P) -> Json:
        """{"fingerprint", "remarks" where there are some} of what the parameters name now. Raises DataError."""

    @abc.abstractmethod
    def fetch(self, parameters: P, fingerprint: str) -> DatasetDict:
        """The splits of exactly what was locked. Raises DataError."""

    def fingerprint(self, parameters: P) -> str | None:
        """The fingerprint of what lies there now; None where that is not cheaply told."""
        return None

    def places(self, parameters: P, split: str, rows: Sequence[int]) -> str | None:
        """Where rows of a split stand in their file, as `data.csv:3, 5`; None where rows have no such place."""
        return None
