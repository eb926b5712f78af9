"""Asks the Hugging Face Hub, and turns every failure into one sentence with a way out."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from bench.errors import BenchError, DataError, HubError, ModelError, UsageError

T = TypeVar("T")
WAITS = (1.0, 3.0)
"""Seconds between attempts while the Hub answers 5xx or breaks off."""


def _repository(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", name, re.ASCII) or re.search(r"--|\.\.", name):
        raise ValueError(f"'{name}' is no Hub id; one looks like 'organisation/name'")
    return name


HubId = Annotated[str, AfterValidator(_repository)]
Revision = Annotated[str, Field(pattern=r"^\w[\w./-]*$", description="a branch, tag or commit")]


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit, which nobody can move."""
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def is_offline() -> bool:
    """Whether the environment forbids asking the Hub."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE


def ask(kind: Literal["dataset", "model"], name: str, revision: str, call: Callable[[], T]) -> T:
    """Return what `call` gets from the Hub or its cache, trying again while the Hub stumbles.

    Raises DataError or ModelError for what the Hub does not have, HubError where it cannot be asked.
    """
    for wait in (*WAITS, None):
        try:
            return call()
        except BenchError:
            raise
        except Exception as error:
            chain = _chain(error)
            if wait is None or not any(_is_transient(e) for e in chain):
                raise _explained(kind, name, revision, chain) from error
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def _is_transient(error: BaseException) -> bool:
    return _status(error) in (429, 500, 502, 503, 504) or type(error).__name__ in ("RemoteProtocolError", "ReadError")


def _explained(kind: str, name: str, revision: str, chain: list[BaseException]) -> UsageError:
    from huggingface_hub import errors

    fault = DataError if kind == "dataset" else ModelError
    what = f"{kind} '{name}'"
    status = next((s for s in map(_status, chain) if s), 0)

    def among(*types: type[BaseException]) -> bool:
        return any(isinstance(error, types) for error in chain)

    full = next(
        (e for e in chain if isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS)), None
    )
    if full is not None:
        return fault(f"{what} cannot be written to the local cache: {full.strerror}; free it or set HF_HOME elsewhere")
    if among(errors.GatedRepoError) or status == 403:
        return fault(
            f"{what} is gated on the Hub: ask for access on its page there, then log in with `hf auth login` "
            "or set HF_TOKEN"
        )
    if among(errors.RevisionNotFoundError):
        return fault(
            f"{what} has no revision '{revision}' on the Hub; name a branch, tag or commit that its page lists"
        )
    if among(errors.RepositoryNotFoundError) or status in (401, 404):
        return fault(
            f"the Hub has no {what}, or it is private: check the spelling; for a private one log in with "
            "`hf auth login` or set HF_TOKEN"
        )
    if among(errors.OfflineModeIsEnabled) or is_offline():
        return HubError(
            f"{what} at {revision} is not in the local cache and HF_HUB_OFFLINE is set; run once without it"
        )
    transport = errors.HfHubHTTPError.__bases__[0]  # httpx's HTTPError, whichever httpx the library uses
    if among(transport, ConnectionError, TimeoutError, errors.LocalEntryNotFoundError):
        cause = f"it answered {status}" if status else _line(chain[-1])
        return HubError(
            f"the Hub cannot be reached for {what} ({cause}): check the network and HF_ENDPOINT and try again; "
            "what is locked and downloaded works offline"
        )
    return fault(f"{what} cannot be loaded: {_line(chain[0])}")


def _line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
