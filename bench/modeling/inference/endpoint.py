"""A model behind an OpenAI-compatible endpoint: what a suite says of it, and asking it. Imports nothing heavy.

Every answer is kept in the cache by all that was asked, so that no question is paid for twice: a trial that was cut
short asks what is missing, and one that runs again asks nothing. What an answer took (seconds, tokens) is kept with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, Field, JsonValue, field_validator, model_validator

from bench.errors import ModelError
from bench.modeling.prompts.conversations import Dialogue, Source, Turn
from bench.redact import hide, redact_all
from bench.store.cache import cached
from bench.suite.parameters import ModelParameters, Strict
from bench.suite.trial import Json

NO_KEY = "none"
"""What the client is told where the suite names no key: else it would take OPENAI_API_KEY, to whichever address."""
SENT = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-type", "content-length"}
SENT |= {"x-stainless-raw-response"}  # "true": by this the client knows its own request again
"""The headers of a request, besides the key that the suite names. The client would add what OPENAI_ORG_ID,
OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS hold, and what machine this is."""
VERSION = 1
"""Of what is kept of an answer."""
OWN_FIELDS = {"model", "messages", "max_tokens", "temperature", "n", "stream"}
SIGN_OF_LIFE = 1.0
"""Seconds between two ticks while answers are waited for."""
Message = dict[str, str]
T = TypeVar("T")


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
        raise ValueError(
            "must be the name of an environment variable, in capitals, which holds the key; a key itself has no place "
            "in a suite"
        )
    hide(name)
    return name


def _address(address: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", address):
        raise ValueError("must be an address like https://api.openai.com/v1, without credentials or a query")
    return address.rstrip("/")


class Price(Strict):
    """What a million tokens cost."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    currency: str = "USD"


class Endpoint(ModelParameters):
    """A model's name at an endpoint, how it is asked, and where. All but `PLACES` is part of its trials' ids: with no
    content to know a model by, its address and name must do."""

    PLACES: ClassVar[frozenset[str]] = frozenset({"key", "concurrency", "timeout", "retries", "price"})

    endpoint: Annotated[str, Field(min_length=1, description="the model's name at the endpoint")]
    base_url: Annotated[str, AfterValidator(_address)] = Field(description="e.g. https://api.openai.com/v1")
    system: str | None = Field(
        None, description="what the model is told first, {labels} being the task's; null: by kind"
    )
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        256, description="tokens an answer may have where the task does not say; null: no such field in a request"
    )
    temperature: Annotated[float, Field(ge=0)] | None = Field(0.0, description="null: no such field in a request")
    options: dict[str, JsonValue] = Field({}, description="further fields of every request, e.g. {seed: 1}")
    key: Annotated[str, AfterValidator(_variable)] | None = Field(
        None, description="the name of the environment variable that holds the key; null: none is sent"
    )
    concurrency: Annotated[int, Field(ge=1, le=256)] = Field(8, description="requests at a time, of each trial")
    timeout: Annotated[float, Field(gt=0)] = Field(60.0, description="seconds an answer may take")
    retries: Annotated[int, Field(ge=0)] = Field(4, description="after 408, 409, 429, 5xx, silence or a broken line")
    price: Price | None = Field(None, description="of a million tokens: {input: 0.15, output: 0.60, currency: USD}")

    @model_validator(mode="before")
    @classmethod
    def _no_key(cls, value: Any) -> Any:
        if redact_all(value) != value:
            raise ValueError(
                "holds what looks like a key or a password; put that into an environment variable and name this one "
                "under `key`"
            )
        return value

    @field_validator("options")
    @classmethod
    def _further(cls, options: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if own := sorted(OWN_FIELDS & options.keys()):
            raise ValueError(f"must not hold {', '.join(own)}")
        return options

    @model_validator(mode="after")
    def _no_weights(self) -> Endpoint:
        if self.pooling is not None or self.dtype != "float32":
            raise ValueError("takes neither pooling nor dtype: its weights are elsewhere")
        return self

    def request(self, messages: Sequence[Message], max_tokens: int | None = None) -> Json:
        """The JSON body of one question."""
        most = self.max_tokens if max_tokens is None else max_tokens
        fields = {"max_tokens": most, "temperature": self.temperature}
        given = {name: value for name, value in fields.items() if value is not None}
        return {"model": self.endpoint, "messages": list(messages), **given, **self.options}


@dataclass(frozen=True)
class Answer:
    """seconds: from the question to its answer, without the attempts before. What the endpoint does not say is None."""

    text: str
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    model: str | None
    system_fingerprint: str | None


class Client:
    """Asks one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._sent: list[None] = []  # `append` is atomic, `+=` is not

    @property
    def asked(self) -> int:
        """How many questions it was asked and answered, and not the cache."""
        return len(self._sent)

    def answers(self, requests: Sequence[Json], tick: Callable[[int, int], None]) -> list[Answer]:
        """An answer to each, `concurrency` at a time, the cache's where it has one. tick: told of (done, total), and
        that again while nothing comes. Raises ModelError at the first that fails; those that came are kept."""
        pool = futures.ThreadPoolExecutor(self.endpoint.concurrency)
        try:
            jobs = [pool.submit(self._cached, request) for request in requests]
            waiting = set(jobs)
            while waiting:
                done, waiting = futures.wait(waiting, SIGN_OF_LIFE, futures.FIRST_COMPLETED)
                for job in done:
                    job.result()
                tick(len(jobs) - len(waiting), len(jobs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [job.result() for job in jobs]

    def models(self) -> list[str]:
        """The models that the endpoint lists; none where it keeps no list. Raises ModelError."""
        import openai

        with self._explained():
            try:
                raw: Any = self._open.with_options(max_retries=0).models.with_raw_response.list()
                listed = raw.http_response.json()["data"]
            except openai.AuthenticationError:
                raise
            except (openai.APIStatusError, ValueError, LookupError, TypeError, RecursionError):
                return []
        named = [_of(model, "id", str) for model in listed] if isinstance(listed, list) else []
        return [name for name in named if name is not None]

    def ask(self, request: Json) -> Answer:
        """One question, whatever is in the cache. Raises ModelError."""
        with self._explained():
            fields = {name: request[name] for name in ("model", "messages")}
            more = {name: value for name, value in request.items() if name not in fields}
            raw: Any = self._open.chat.completions.with_raw_response.create(**fields, extra_body=more)
            found = raw.http_response.json()
            self._sent.append(None)
            text = _text(found)
        usage = found.get("usage")
        return Answer(
            text=text,
            seconds=raw.elapsed.total_seconds(),
            prompt_tokens=_of(usage, "prompt_tokens", int),
            completion_tokens=_of(usage, "completion_tokens", int),
            model=_of(found, "model", str),
            system_fingerprint=_of(found, "system_fingerprint", str),
        )

    def _cached(self, request: Json) -> Answer:
        key = {"version": VERSION, "base_url": self.endpoint.base_url, "request": request}

        def fill(folder: Path) -> None:
            (folder / "answer.json").write_text(json.dumps(asdict(self.ask(request))))

        return Answer(**json.loads((cached("answers", key, fill) / "answer.json").read_text()))

    @property
    def _place(self) -> str:
        return f"the endpoint at {self.endpoint.base_url}"

    @cached_property
    def _open(self) -> Any:
        import openai

        name = self.endpoint.key
        key = NO_KEY if name is None else os.environ.get(name, "").strip()
        if not key:
            raise ModelError(f"the environment variable {name} holds no key for {self.endpoint.base_url}; set it")

        def strip(request: Any) -> None:
            for header in [name for name in request.headers if name.lower() not in SENT]:
                if header.lower() == "authorization" and name is not None:
                    request.headers[header] = f"Bearer {key}"
                else:
                    del request.headers[header]

        return openai.OpenAI(
            api_key=key,
            http_client=openai.DefaultHttpxClient(event_hooks={"request": [strip]}, follow_redirects=False),
            base_url=self.endpoint.base_url,
            timeout=self.endpoint.timeout,
            max_retries=self.endpoint.retries,
        )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        import openai

        try:
            yield
        except openai.APIError as error:
            raise ModelError(_sentence(error, self.endpoint, self._place)) from error
        except (openai.OpenAIError, ValueError, RecursionError) as error:
            raise ModelError(
                f"{self._place} answers with something else than a chat completion: {_line(str(error))}; does base_url "
                "lack a /v1?"
            ) from error


def _sentence(error: Any, endpoint: Endpoint, place: str) -> str:
    """What went wrong and what can be done about it."""
    import openai

    times = f"{endpoint.retries + 1} times" if endpoint.retries else "once"
    if isinstance(error, openai.APITimeoutError):
        return (
            f"{place} was asked {times} and gave no answer within {endpoint.timeout:g} s; raise `timeout`, or lower "
            "`concurrency`"
        )
    if isinstance(error, openai.APIConnectionError):
        cause = _line(str(error.__cause__ or error))
        return f"{place} cannot be reached ({cause}): check base_url and the network, and whether it is running"
    if not isinstance(error, openai.APIStatusError):
        return f"{place} answers with no chat completion: {_line(error.message)}"
    if 300 <= error.status_code < 400:
        elsewhere = error.response.headers.get("location", "an address it does not name")
        return (
            f"{place} sends elsewhere ({_line(elsewhere)}), where nothing is sent; name the right address as base_url"
        )
    said = f"{error.status_code}: {_line(error.message)}"
    if error.status_code == 401:
        if endpoint.key is None:
            return f"{place} asks for a key ({said}); name the environment variable that holds it under `key`"
        return f"{place} refuses the key in the environment variable {endpoint.key} ({said}); set it to a valid one"
    if error.status_code == 404:
        return f"{place} has no model '{endpoint.endpoint}' ({said}); check the name, and whether base_url lacks a /v1"
    if error.status_code == 429:
        return f"{place} has no quota left or is asked too often ({said}); wait, lower `concurrency`, raise `retries`"
    if error.status_code >= 500:
        return f"{place} was asked {times} and failed ({said}); see its own log"
    return f"{place} refuses the request ({said}); check max_tokens, temperature and options"


def _text(completion: Any) -> str:
    """The text of a chat completion; a refusal's is empty. Raises ValueError for what is none."""
    place, found = "", completion
    for step in ("choices", 0, "message"):
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"it has no {place}") from None
    if not isinstance(found, dict):
        raise ValueError(f"its {place} is {json.dumps(found)[:50]}")
    text = found.get("content")
    if not isinstance(text, str | None):
        raise ValueError(f"its {place}.content is no text")
    return (text or "").encode(errors="replace").decode()  # half of a character is none that a file takes


def _of(found: Any, name: str, kind: type[T]) -> T | None:
    """What an endpoint says beside its answer, where it says it in the form that it should have."""
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, kind) else None


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:199]}…"


def turns(told: str, shots: Sequence[tuple[Source, str]], question: Source) -> list[Message]:
    """A conversation: what the model is told, the examples as if they had been asked and answered, the question.

    A question that is a conversation with a system's turn of its own has that instead of what the model is told.
    """
    last = _turns(question)
    first = [Turn("system", told)] if told and last[0].role != "system" else last[: last[0].role == "system"]
    earlier = [turn for shot, answer in shots for turn in (*_turns(shot), Turn("assistant", answer))]
    return [turn._asdict() for turn in (*first, *(turn for turn in (*earlier, *last) if turn.role != "system"))]


def _turns(source: Source) -> Dialogue:
    return (Turn("user", source),) if isinstance(source, str) else source
