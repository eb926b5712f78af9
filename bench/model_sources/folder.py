"""A model in a local folder, as `save_pretrained` writes it: `{folder: path}`."""

from __future__ import annotations

import fnmatch
import hashlib
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.contracts import ModelSource
from bench.errors import ModelError
from bench.hub.checksums import hashed
from bench.modeling.models.files import NEVER, PICKLED, READ, configs, has_weights
from bench.suite.parameters import ModelParameters


class FolderModelParameters(ModelParameters):
    """Which folder."""

    folder: Path = Field(description="as `save_pretrained` writes it")


class FolderModels(ModelSource[FolderModelParameters]):
    """Models in local folders, known by a hash of their files."""

    VERSION = 1
    Parameters = FolderModelParameters

    def lock(self, parameters: FolderModelParameters) -> dict[str, Any]:
        """Return a hash of what transformers would read, and the config files. Raises ModelError."""
        folder = parameters.folder
        if not folder.is_dir():
            raise ModelError(f"{folder}: is no folder; check the model's `folder` in the suite")
        files = configs(folder, str(folder))
        if not has_weights([str(path) for path in folder.rglob("*")]):
            raise ModelError(
                f"{folder}: holds no weights in safetensors or pytorch_model.bin; write them with save_pretrained"
            )
        return {"fingerprint": self.fingerprint(parameters), "files": files}

    def fingerprint(self, parameters: FolderModelParameters) -> str:
        """A hash of the names and bytes that transformers would read. Raises ModelError."""
        folder = parameters.folder
        total = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and _matches(name, (*READ, PICKLED)) and not _matches(name, NEVER):
                try:
                    total.update(f"{name}\0{hashed(path)}\n".encode())
                except OSError as error:
                    raise ModelError(f"{path}: {error.strerror}") from error
        return total.hexdigest()

    def fetch(self, parameters: FolderModelParameters, fingerprint: str) -> Path:
        """Return the folder. That it is what was locked is checked before a run's first trial, and by each trial."""
        return parameters.folder


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
