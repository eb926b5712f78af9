"""Asks the Hugging Face Hub, and turns every failure into one sentence with a way out."""

from __future__ import annotations

import errno
import functools
import re
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from bench.errors import BenchError, DataError, HubError, ModelError, UsageError
from bench.hub.checksums import ChecksumError
from bench.private_api import hub_client

T = TypeVar("T")
WAITS = (1.0, 3.0)
"""Seconds between attempts while the Hub answers 5xx, is silent, breaks off or sends something else than it said."""
MOST_WAIT = 60.0
"""Seconds that a Hub's Retry-After is obeyed for at most."""
PATIENCE = 60.0
"""No attempt begins later than so many seconds after the first: the client retries within each by itself."""


def _repository(name: str) -> str:
    part = r"[A-Za-z0-9_][\w.-]{0,95}"  # the Hub's own limit; a longer one would be no file name in its cache
    if not re.fullmatch(f"{part}(/{part})?", name, re.ASCII) or re.search(r"--|\.\.", name):
        raise ValueError(f"'{name[:100]}' is no Hub id; one looks like 'organisation/name'")
    return name


def _revision(name: str) -> str:
    if not re.fullmatch(r"\w[\w./-]{0,199}", name) or ".." in name:
        raise ValueError(f"'{name[:100]}' is no branch, tag or commit")
    return name


HubId = Annotated[str, AfterValidator(_repository)]
Revision = Annotated[str, AfterValidator(_revision), Field(description="a branch, tag or commit")]


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
    _bound_waiting()
    begun = time.monotonic()
    for wait in (*WAITS, None):
        try:
            return call()
        except BenchError:
            raise
        except Exception as error:
            chain = _chain(error)
            late = time.monotonic() - begun > PATIENCE
            if wait is None or late or not any(_is_transient(e) for e in chain):
                raise _explained(kind, name, revision, chain) from error
            time.sleep(max(wait, *map(_retry_after, chain)))
    raise AssertionError("the last attempt returns or raises")


@functools.cache
def _bound_waiting() -> None:
    """No request waits for ever: the Hub's client asks for much of what it asks without any time limit."""
    from huggingface_hub import constants, set_client_factory

    make = hub_client()
    if make is None:
        return

    def bounded(request: Any) -> None:
        limits = request.extensions.get("timeout") or {}
        most = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        request.extensions["timeout"] = {
            part: min(most, limits.get(part) or most) for part in ("connect", "read", "write", "pool")
        }

    def client() -> Any:
        found = make()
        hooks = found.event_hooks
        found.event_hooks = {**hooks, "request": [*hooks.get("request", []), bounded]}
        return found

    set_client_factory(client)


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def _retry_after(error: BaseException) -> float:
    """The seconds that the Hub asks to wait for; 0 where it names none or a date."""
    text = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    return min(float(text), MOST_WAIT) if text.isdecimal() else 0.0


def _is_transient(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}  # httpx's, whichever httpx the library uses
    return (
        isinstance(error, ChecksumError)
        or _status(error) in (408, 429, 500, 502, 503, 504)
        or not names.isdisjoint(("RemoteProtocolError", "ReadError", "ConnectError", "TimeoutException"))
    )


def _explained(kind: str, name: str, revision: str, chain: list[BaseException]) -> UsageError:
    from huggingface_hub import errors

    fault = DataError if kind == "dataset" else ModelError
    what = f"{kind} '{name}' at {revision}"
    status = next((s for s in map(_status, chain) if s), 0)

    def among(*types: type[BaseException]) -> bool:
        return any(isinstance(error, types) for error in chain)

    full = next(
        (e for e in chain if isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS)), None
    )
    if full is not None:
        return fault(f"{what} cannot be written to the local cache: {full.strerror}; free it or set HF_HOME elsewhere")
    damaged = next((e for e in chain if isinstance(e, ChecksumError)), None)
    if damaged is not None:
        return fault(f"{what} was damaged on its way: {damaged}")
    if among(errors.GatedRepoError) or status == 403:
        return fault(
            f"{what} is gated on the Hub: ask for access on its page there, then log in with `hf auth login` "
            "or set HF_TOKEN"
        )
    if among(errors.RevisionNotFoundError):
        return fault(
            f"{kind} '{name}' has no revision '{revision}' on the Hub; name a branch, tag or commit that its page lists"
        )
    if among(errors.RepositoryNotFoundError) or status in (401, 404):
        return fault(
            f"the Hub has no {what}, or it is private: check the spelling; for a private one log in with "
            "`hf auth login` or set HF_TOKEN"
        )
    if among(errors.OfflineModeIsEnabled) or is_offline():
        return HubError(f"{what} is not in the local cache and HF_HUB_OFFLINE is set; run once without it")
    transport = errors.HfHubHTTPError.__bases__[0]  # httpx's HTTPError, whichever httpx the library uses
    if among(transport, ConnectionError, TimeoutError, errors.LocalEntryNotFoundError):
        cause = f"it answered {status}" if status else _line(chain[-1])
        return HubError(
            f"the Hub cannot be reached for {what} ({cause}): check the network and HF_ENDPOINT and try again; "
            "what is locked and downloaded works offline"
        )
    told = [e for e in chain if type(e).__name__ != "DatasetGenerationError"]  # which only says that there is a cause
    return fault(f"{what} cannot be loaded: {_line((told or chain)[0])}")


def _line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
