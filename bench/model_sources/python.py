"""A user's own network: `{python: models.py:resnet8, weights: resnet8.safetensors, input: {…}, labels: […]}`.

The file is the user's own code, beside the suite, and is run when the model is prepared and in each trial, never when a
suite is planned. What was locked is kept in the cache, so that a trial runs exactly that.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from bench.contracts import ModelSource
from bench.errors import ModelError
from bench.hub.checksums import hashed
from bench.modeling.models.files import configs
from bench.modeling.networks.parameters import Input, NetworkParameters, processor_settings
from bench.store.cache import cached
from bench.suite.trial import Json, digest

MAKES = {"arguments", "input", "labels", "seed", "allow_missing"}
"""What makes a network of the files."""


class PythonParameters(NetworkParameters):
    """Which function makes the network, from what weights, and what it sees."""

    python: Path = Field(description="`file.py:function`, a function or class that returns a torch.nn.Module")
    weights: Path | None = Field(
        default=None, description="a state dict, in safetensors or a pickle that holds tensors alone; null: random"
    )
    arguments: dict[str, bool | int | float | str | list[int | float | str] | None] = Field(
        default={}, description="what the function is given"
    )
    input: Input = Field(description="what the network sees of an image")

    @field_validator("python")
    @classmethod
    def _named(cls, value: Path) -> Path:
        file, _, name = value.name.rpartition(":")
        if not file.endswith(".py") or not name.isidentifier():
            raise ValueError("name a file and a function in it, as models.py:resnet8")
        return value


class PythonNetworks(ModelSource[PythonParameters]):
    """Users' own networks, known by the file's and the weights' content."""

    VERSION = 1
    Parameters = PythonParameters

    def lock(self, parameters: PythonParameters) -> dict[str, Any]:
        """Build the network once; return a hash of its code, weights and parameters, and the config files. Raises
        ModelError."""
        found = self.fingerprint(parameters)
        return {"fingerprint": found, "files": configs(self.fetch(parameters, found), str(parameters.python))}

    def fingerprint(self, parameters: PythonParameters) -> str:
        """A hash of what the files hold, and of what makes the network of it. Raises ModelError."""
        file, name = _place(parameters)
        weights = _hash(parameters.weights, "weights") if parameters.weights else None
        told: Json = parameters.model_dump(mode="json", include=MAKES)
        return digest({"version": self.VERSION, "code": _hash(file, "python"), "function": name, "weights": weights,
                       **told}, 64)  # fmt: skip

    def fetch(self, parameters: PythonParameters, fingerprint: str) -> Path:
        """Return the cache's folder of exactly that network, and let this process run its code. Raises ModelError."""
        from bench.modeling.networks.own_code import allow

        def fill(folder: Path) -> None:
            if self.fingerprint(parameters) != fingerprint:
                raise ModelError(
                    f"{_place(parameters)[0]}: it or the weights have changed since they were locked; put them back, "
                    "or accept them with `bench lock SUITE --update`"
                )
            _write(parameters, folder)

        folder = cached("networks", {"fingerprint": fingerprint}, fill)
        allow(folder / _place(parameters)[0].name)
        return folder


def _place(parameters: PythonParameters) -> tuple[Path, str]:
    """The file, and the function's name in it."""
    file, _, name = parameters.python.name.rpartition(":")
    return parameters.python.with_name(file), name


def _hash(path: Path, key: str) -> str:
    try:
        return hashed(path)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; check the model's `{key}` in the suite") from error


def _write(parameters: PythonParameters, folder: Path) -> None:
    from bench.modeling.networks.own_code import allow
    from bench.modeling.networks.write import write

    file, name = _place(parameters)
    own = folder / file.name
    shutil.copyfile(file, own)
    recipe = {"code": allow(own), "function": name, "arguments": parameters.arguments}
    try:
        write(
            folder, recipe, processor_settings(parameters.input), parameters.labels, weights=parameters.weights,
            seed=parameters.seed, allow_missing=parameters.allow_missing,
        )  # fmt: skip
    except ModelError as error:
        raise ModelError(f"{file}:{name}: {error}") from error
