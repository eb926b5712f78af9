"""Real data that needs no download: `{builtin: python-docs}` or `{builtin: digits, classes: [5, 6, 7, 8, 9]}`, …"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from bench.contracts import DataSource
from bench.errors import DataError
from bench.store.cache import cached
from bench.suite.parameters import SourceParameters

if TYPE_CHECKING:
    import datasets


class BuiltinParameters(SourceParameters):
    """Which corpus; for the digits also which of them, relabelled in that order."""

    builtin: Literal["python-docs", "python-docs-next", "python-functions", "python-pairs", "digits"] = Field(
        description="which corpus"
    )
    classes: tuple[Annotated[int, Field(ge=0, le=9)], ...] | None = Field(
        None, description="of the digits, those to tell apart, in the order of their labels"
    )

    @model_validator(mode="after")
    def _classes_of_digits(self) -> BuiltinParameters:
        if self.classes is not None and self.builtin != "digits":
            raise ValueError("`classes` goes with `builtin: digits` alone")
        if self.classes is not None and not 2 <= len(self.classes) == len(set(self.classes)):
            raise ValueError("`classes` names at least two digits, each once")
        return self


class BuiltinData(DataSource[BuiltinParameters]):
    """Corpora that come with the installation, known by a hash of their content."""

    VERSION = 1
    Parameters = BuiltinParameters

    def lock(self, parameters: BuiltinParameters) -> dict[str, str]:
        """Return a hash of the corpus as this installation holds it, and keep it for `fetch`. Raises DataError."""
        fingerprint, splits = _corpus(parameters)
        _kept(fingerprint, splits.save_to_disk)
        return {"fingerprint": fingerprint}

    def fetch(self, parameters: BuiltinParameters, fingerprint: str) -> datasets.DatasetDict:
        """Return every split, memory-mapped. Raises DataError where the installation now holds something else."""
        import datasets

        def rebuild(folder: Path) -> None:
            found, splits = _corpus(parameters)
            if found != fingerprint:
                raise DataError(
                    f"builtin data '{parameters.builtin}': this installation holds other content than was locked; "
                    "`bench lock SUITE --update` takes it as it is now"
                )
            splits.save_to_disk(folder)

        found = datasets.load_from_disk(_kept(fingerprint, rebuild))
        assert isinstance(found, datasets.DatasetDict)
        return found


def _kept(fingerprint: str, fill: Callable[[Path], None]) -> Path:
    return cached("data", {"builtin": fingerprint, "version": BuiltinData.VERSION, "clusters": 1}, fill)


def _corpus(parameters: BuiltinParameters) -> tuple[str, datasets.DatasetDict]:
    """The content's hash, and its splits."""
    module = importlib.import_module(f"bench.data.corpora.{parameters.builtin.replace('-', '_')}")
    found: tuple[str, datasets.DatasetDict] = module.load(*([parameters.classes] if parameters.classes else []))
    return found
