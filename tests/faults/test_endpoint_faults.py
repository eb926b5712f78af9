"""An endpoint that answers with something else, sends elsewhere, and is sent nothing but what the suite names."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rows import Row

from bench.errors import ModelError
from bench.model_sources.endpoint import EndpointModels, EndpointParameters
from bench.modeling.inference.endpoint import Client

pytestmark = pytest.mark.fault(Row.ENDPOINT)


class Odd(BaseHTTPRequestHandler):
    """Lists no models, answers every question alike, and keeps what it was sent."""

    sent: list[dict[str, str]]
    answer: tuple[int, bytes]

    def do_GET(self) -> None:
        self.say(404, b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.sent.append(dict(self.headers))
        self.say(*self.answer)

    def say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), "Location": "/x"}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def asked() -> Iterator[EndpointParameters]:
    """Parameters that name the odd endpoint and no key."""
    Odd.sent = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield EndpointParameters.model_validate({"endpoint": "m", "base_url": base_url, "retries": 0})
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b'{"choices": [{"message": null}]}', r"a chat completion: its choices\[0\]\.message is null"),
        (200, b"<html>", "something else than a chat completion"),
        (302, b"", r"sends elsewhere \(/x\), where nothing is sent; name the right address as base_url"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_one_line_when_it_is_locked(
    asked: EndpointParameters, status: int, body: bytes, said: str
) -> None:
    Odd.answer = (status, body)
    with pytest.raises(ModelError, match=said) as caught:
        EndpointModels().lock(asked)
    assert "\n" not in str(caught.value)


def test_nothing_of_the_environment_is_sent(asked: EndpointParameters, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "not-yours")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: not-yours")
    Odd.answer = (200, json.dumps({"choices": [{"message": {"content": "hello"}}]}).encode())
    assert Client(asked).ask(asked.request([{"role": "user", "content": "hi"}])).text == "hello"
    assert len(Odd.sent) == 1
    assert "not-yours" not in str(Odd.sent)
    assert not {"authorization", "openai-organization"} & {name.lower() for name in Odd.sent[0]}
