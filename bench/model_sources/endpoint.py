"""A model behind an OpenAI-compatible endpoint: `{endpoint: gpt-4o-mini, base_url: https://…/v1, key: OPENAI_API_KEY}`.

There is no commit: the endpoint may put another model behind the name, which the records' `facts.endpoint` can tell.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.contracts import ModelSource
from bench.errors import ModelError, did_you_mean
from bench.modeling.inference.endpoint import Client, Endpoint
from bench.store.cache import cached
from bench.suite.trial import digest


class EndpointParameters(Endpoint):
    """Which model, how it is asked, and where."""


class EndpointModels(ModelSource[EndpointParameters]):
    """Models behind an endpoint, known by its address and their name."""

    VERSION = 1
    Parameters = EndpointParameters
    LOCAL = False

    def lock(self, parameters: EndpointParameters) -> dict[str, Any]:
        """Ask whether the endpoint has the model, by its list, or else by one question: a list need not hold all.

        Raises ModelError.
        """
        client = Client(parameters)
        listed = client.models()
        if parameters.endpoint not in listed:
            try:
                longest = 1 if parameters.max_tokens else None
                client.ask(parameters.request([{"role": "user", "content": "Hello"}], longest))
            except ModelError as error:
                hint = did_you_mean(parameters.endpoint, listed) if listed else ""
                raise ModelError(f"{error}{hint}") from error
        return {"fingerprint": _fingerprint(parameters), "files": {"config.json": '{"architectures": ["Endpoint"]}'}}

    def fetch(self, parameters: EndpointParameters, fingerprint: str) -> Path:
        """Return a folder that says what is asked; there is nothing to bring here."""
        said = parameters.model_dump(mode="json", include={"endpoint", "base_url"})
        return cached("endpoints", said, lambda folder: _describe(folder, said))


def _describe(folder: Path, said: dict[str, Any]) -> None:
    (folder / "endpoint.json").write_text(json.dumps(said))


def _fingerprint(parameters: EndpointParameters) -> str:
    return digest({"endpoint": parameters.endpoint, "base_url": parameters.base_url}, 64)
