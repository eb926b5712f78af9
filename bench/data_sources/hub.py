"""A dataset on the Hugging Face Hub: `{hub: organisation/name, config: …, revision: main}`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from bench.contracts import DataSource
from bench.data.decompression_limits import check_file
from bench.errors import DataError, did_you_mean
from bench.hub.checksums import verify
from bench.hub.client import HubId, Revision, ask, is_commit, is_offline
from bench.private_api import prepared
from bench.suite.parameters import SourceParameters

if TYPE_CHECKING:
    import datasets

READERS = ("csv", "imagefolder", "json", "parquet", "text")
"""Those of `datasets` that only read rows; others unpickle, or open formats that nothing here checks."""
CONFIG = r"^[^.<>:/\\|?*\[\]][^<>:/\\|?*\[\]]{0,127}$"
"""`datasets` makes it a folder's name."""


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError(f"{name!r} holds characters that cannot be shown")
    return name


class HubDataParameters(SourceParameters):
    """Which dataset, and which of its configurations."""

    hub: HubId = Field(description="the data set's id")
    config: Annotated[str, Field(pattern=CONFIG), AfterValidator(_printable)] | None = Field(
        None, description="one of its configurations; null: its only one"
    )
    revision: Revision = "main"


class HubData(DataSource[HubDataParameters]):
    """Data sets on the Hub, known by their commit."""

    VERSION = 1
    Parameters = HubDataParameters

    def lock(self, parameters: HubDataParameters) -> dict[str, str]:
        """Return the commit that the revision stands for now. Raises DataError, HubError."""
        from huggingface_hub import HfApi, hf_hub_download

        name, revision = parameters.hub, parameters.revision

        def resolve() -> str:
            if not is_offline():
                return HfApi().dataset_info(name, revision=revision).sha or revision
            if is_commit(revision):
                return revision
            card = hf_hub_download(name, "README.md", repo_type="dataset", revision=revision, local_files_only=True)
            return Path(card).parent.name

        commit = ask("dataset", name, revision, resolve)
        _config(parameters, revision)
        return {"fingerprint": commit}

    def fetch(self, parameters: HubDataParameters, fingerprint: str) -> datasets.DatasetDict:
        """Return every split at that commit, memory-mapped; downloads on first use. Raises DataError, HubError."""
        import datasets

        name = parameters.hub
        config = _config(parameters, fingerprint)
        # offline, `load_dataset` takes the newest of any commit
        found = prepared(name, config or "default", fingerprint)
        if found is not None:
            return found

        def prepare() -> datasets.DatasetDict:
            builder = datasets.load_dataset_builder(name, config, revision=fingerprint)
            if builder.hash != fingerprint:  # a local folder of that name, or another commit from the cache
                raise ConnectionError(f"only something other than commit {fingerprint[:8]} is at hand")
            _refuse_strange(builder, f"dataset '{name}' at {fingerprint}", f"hf://datasets/{name}@{fingerprint}/")
            builder.download_and_prepare(dl_manager=_downloads(builder, f"dataset '{name}' at {fingerprint}"))
            return builder.as_dataset()

        return ask("dataset", name, fingerprint, prepare)


def _refuse_strange(builder: Any, place: str, root: str) -> None:
    """A data set's card may name any reader, file or address. Raises DataError unless they are plain, and its own."""
    reader = type(builder).__module__.split(".")[-1]
    if reader not in READERS:
        raise DataError(f"{place}: is read by '{reader}', which is not trusted here; {', '.join(READERS)} are")
    for files in (builder.config.data_files or {}).values():
        for file in files:
            if not str(file).startswith(root):
                raise DataError(f"{place}: its card names '{file}', which is no file of the data set")


def _downloads(builder: Any, place: str) -> Any:
    """A download manager that checks every file before anything reads it."""
    import datasets

    class Checked(datasets.DownloadManager):  # type: ignore[misc]
        def download(self, url_or_urls: Any) -> Any:
            found = super().download(url_or_urls)
            for url, path in self.downloaded_paths.items():
                verify([Path(path)])
                check_file(Path(path), f"{place}, {str(url).rpartition('/')[2]}")
            return found

    return Checked(builder.dataset_name, download_config=datasets.DownloadConfig(use_etag=False))


def _config(parameters: HubDataParameters, revision: str) -> str | None:
    """The configuration asked for, or the default one by the dataset's card; None where the card names none."""
    from huggingface_hub import DatasetCard, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    name = parameters.hub

    def listed() -> list[dict[str, Any]]:
        try:
            card = DatasetCard.load(hf_hub_download(name, "README.md", repo_type="dataset", revision=revision))
        except EntryNotFoundError as error:
            if isinstance(error, LocalEntryNotFoundError) and not is_offline():
                raise
            return []
        return [*(card.data.get("configs") or [])]

    configs: dict[str, Any] = {entry["config_name"]: entry for entry in ask("dataset", name, revision, listed)}
    if parameters.config is not None or not configs:
        if configs and parameters.config not in configs:
            near = did_you_mean(str(parameters.config), configs)
            raise DataError(f"dataset '{name}' has no config '{parameters.config}'{near}")
        return parameters.config
    for config, entry in configs.items():
        if len(configs) == 1 or config == "default" or entry.get("default"):
            return config
    raise DataError(f"dataset '{name}' has several configs; add `config:` with one of {', '.join(sorted(configs))}")
