"""A model on the Hugging Face Hub: `organisation/name` or `{hub: organisation/name, revision: main}`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from bench.contracts import ModelSource
from bench.errors import HubError, ModelError
from bench.hub.checksums import verify
from bench.hub.client import HubId, Revision, ask, is_commit, is_offline
from bench.modeling.models.files import CODE, CONFIGS, NEVER, PICKLED, READ, configs, has_weights
from bench.suite.parameters import ModelParameters


class HubModelParameters(ModelParameters):
    """Which model; its own code runs only where it is trusted at a full commit."""

    hub: HubId = Field(description="the repository's id")
    revision: Revision = "main"
    trust_remote_code: bool = Field(default=False, description="run the model's own code; needs a full commit")

    @model_validator(mode="after")
    def _pinned(self) -> HubModelParameters:
        if self.trust_remote_code and not is_commit(self.revision):
            raise ValueError(
                "trust_remote_code needs `revision` to be a full commit of 40 hex digits, whose code you read"
            )
        return self


class HubModels(ModelSource[HubModelParameters]):
    """Models on the Hub, known by their commit."""

    VERSION = 1
    Parameters = HubModelParameters

    def lock(self, parameters: HubModelParameters) -> dict[str, Any]:
        """Return the commit that the revision stands for now, and the config files. Raises ModelError, HubError."""
        from huggingface_hub import HfApi

        name, revision = parameters.hub, parameters.revision
        if not is_offline():
            info = ask("model", name, revision, lambda: HfApi().model_info(name, revision=revision))
            if not has_weights([file.rfilename for file in info.siblings or []]):
                raise ModelError(f"model '{name}' at {revision} holds no weights in safetensors or pytorch_model.bin")
        folder = snapshot(name, revision, CONFIGS)
        files = configs(folder, f"'{name}'")
        if parameters.trust_remote_code:
            _refuse_others_code(name, files)
        return {"fingerprint": folder.name, "files": files}

    def fetch(self, parameters: HubModelParameters, fingerprint: str) -> Path:
        """Return the folder with the model at that commit; downloads on first use. Raises ModelError, HubError."""
        name = parameters.hub
        wanted = (*READ, CODE) if parameters.trust_remote_code else READ
        folder = snapshot(name, fingerprint, wanted)
        if not any(folder.rglob("*.safetensors")):
            folder = snapshot(name, fingerprint, (*wanted, PICKLED))
        if not has_weights([str(path) for path in folder.rglob("*")]):
            raise HubError(
                f"model '{name}' at {fingerprint} is not whole in the local cache; run once without HF_HUB_OFFLINE"
            )
        return folder


def _refuse_others_code(name: str, files: dict[str, str]) -> None:
    """`auto_map` may name a module of another repository, as `other/repo--module.Class`, which no commit pins."""
    for file, text in files.items():
        try:
            found = json.loads(text)
        except (RecursionError, ValueError):
            continue  # whoever reads it says what is wrong with it
        if isinstance(found, dict) and "--" in json.dumps(found.get("auto_map")):
            raise ModelError(
                f"model '{name}': its {file} runs code of another repository, which `revision` does not pin; take that "
                "code into a repository of your own"
            )


def snapshot(name: str, revision: str, patterns: tuple[str, ...]) -> Path:
    """The folder, named as the commit, of a repository's files that fit the patterns. Raises ModelError, HubError."""
    from huggingface_hub import snapshot_download

    def call() -> Path:
        found = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(patterns),
            ignore_patterns=list(NEVER),
            local_files_only=is_offline(),
        )
        verify(path for path in Path(found).rglob("*") if path.is_file())
        return Path(found)

    return ask("model", name, revision, call)
