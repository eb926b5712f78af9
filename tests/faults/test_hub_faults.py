"""The Hub down, busy, silent, cut off, wrong or gated: tried again, then one sentence that names the revision."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_mirror import mirror
from rows import Row

from bench.hub import checksums

pytestmark = [pytest.mark.fault(Row.HUB), pytest.mark.hub]
Run = Callable[[str, dict[str, str]], str]
MODEL = "mirror/stories260k-llama"
ASK = """
import json, sys, time
waited = []
time.sleep = waited.append
import bench.hub.client
from bench import plugins
from bench.errors import BenchError
bench.hub.client.WAITS, bench.hub.client.PATIENCE = (1.25, 3.25), 5.0
plugin = plugins.load({kind!r}, "hub")
try:
    parameters = plugin.Parameters(hub={name!r})
    fingerprint = {locked!r} or plugin.lock(parameters)["fingerprint"]
    plugin.fetch(parameters, fingerprint)
    print(json.dumps(["ok", fingerprint, waited]))
except BenchError as error:
    print(json.dumps([type(error).__name__, str(error), waited]))
"""


@pytest.fixture(scope="session")
def faulty() -> Iterator[Callable[..., str]]:
    """Serves the mirror, and what it cannot do itself: `wrong` bytes, `gated` repositories, `later` (Retry-After)."""
    with mirror(_more_faults) as serve:
        yield serve


def _more_faults(module: Any) -> None:
    class Faulty(module.Handler):  # type: ignore[misc, name-defined]
        action: str | None = None

        def fault(self) -> str | None:
            self.action = super().fault()
            return self.action

        def handle_request(self) -> None:
            with self.lock:
                later = next(
                    (s for s in self.faults if s[1] in ("gated", "later") and s[2] and s[0] in self.path), None
                )
                if later is not None:
                    later[2] -= 1
            if later is None:
                super().handle_request()
            elif later[1] == "gated":
                self.send(403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
            else:
                self.send(429, b"{}", {"Retry-After": "17"})

        def send(self, status: int, body: bytes = b"", headers: Any = None, cut: bool = False) -> None:
            wrong = self.action == "wrong" and status in (200, 206) and len(body) > 1000
            super().send(status, body[:-1] + bytes([body[-1] ^ 1]) if wrong else body, headers, cut)

        do_GET = do_HEAD = do_POST = handle_request

    module.Handler = Faulty


@pytest.fixture
def ask(hub_env: dict[str, str], python: Run) -> Callable[..., list[Any]]:
    """[kind of outcome, text, seconds waited each time] of locking and fetching something from this address."""

    def run(address: str, kind: str = "model_sources", name: str = MODEL, locked: str = "", **env: str) -> list[Any]:
        quick = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
        source = ASK.format(kind=kind, name=name, locked=locked)
        found: list[Any] = json.loads(
            python(source, {**hub_env, **quick, "HF_ENDPOINT": address, **env}).splitlines()[-1]
        )
        return found

    return run


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("unreachable", "cannot be reached .*ConnectionRefusedError"),
        ("*=503", "cannot be reached .*it answered 503"),
        ("*safetensors*=429", "cannot be reached .*it answered 429"),
        ("*api/models*=hang", "cannot be reached .*(timed out|TimeoutError|ReadTimeout)"),
        ("*safetensors*=hang", "cannot be reached .*(timed out|TimeoutError|ReadTimeout)"),
        ("*safetensors*=cut", "cannot be reached .*(closed|complete|disconnected)"),
        ("*safetensors*=wrong", r"was damaged on its way: model\.safetensors came with SHA-256"),
    ],
)
def test_a_hub_that_fails_is_tried_again_and_then_one_sentence(
    fault: str, cause: str, ask: Callable[..., list[Any]], faulty: Callable[..., str]
) -> None:
    begun = time.monotonic()
    kind, text, waited = ask("http://127.0.0.1:9" if fault == "unreachable" else faulty(fault))
    assert time.monotonic() - begun < 40
    assert kind == ("ModelError" if "wrong" in fault else "HubError"), text
    assert re.search(cause, text), text
    assert re.search(rf"model '{MODEL}' at (main|[0-9a-f]{{40}})", text), text
    assert "\n" not in text
    if fault != "*safetensors*=hang":  # which takes so long that patience has run out
        assert [seconds for seconds in waited if seconds in (1.25, 3.25)] == [1.25, 3.25]


def test_a_hub_that_stumbles_is_no_error_and_its_retry_after_is_obeyed(
    ask: Callable[..., list[Any]], faulty: Callable[..., str]
) -> None:
    stumbling = faulty("api/models=later*1", "*safetensors*=wrong*2", "*safetensors*=cut*2")
    kind, text, waited = ask(stumbling)
    assert kind == "ok", text
    assert 17.0 in waited


@pytest.mark.parametrize("kind", ["model_sources", "data_sources"])
def test_a_gated_repository_is_not_tried_again(
    kind: str, ask: Callable[..., list[Any]], faulty: Callable[..., str]
) -> None:
    name = MODEL if kind == "model_sources" else "stanfordnlp/sst2"
    found, text, waited = ask(faulty(f"api/{'models' if kind == 'model_sources' else 'datasets'}=gated"), kind, name)
    assert found == ("ModelError" if kind == "model_sources" else "DataError")
    assert f"'{name}' at main is gated on the Hub: ask for access" in text
    assert not waited


@pytest.mark.parametrize(
    ("kind", "name", "file"), [("model_sources", MODEL, "safetensors"), ("data_sources", "stanfordnlp/sst2", "parquet")]
)
def test_a_file_that_came_wrong_comes_anew(
    kind: str, name: str, file: str, ask: Callable[..., list[Any]], faulty: Callable[..., str], hub_address: str
) -> None:
    found, text, _ = ask(faulty(f"*{file}*=wrong"), kind, name)
    assert found == ("ModelError" if kind == "model_sources" else "DataError"), text
    assert "came with SHA-256" in text
    assert ask(hub_address, kind, name)[0] == "ok"
    assert ask("http://127.0.0.1:9", kind, name, HF_HUB_OFFLINE="1")[0] == "ok"


def test_what_was_verified_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = tmp_path / hashlib.sha256(b"weights").hexdigest()
    blob.write_bytes(b"weights")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    checksums.verify([link])
    monkeypatch.setattr(hashlib, "file_digest", None)
    checksums.verify([link])
    monkeypatch.undo()
    blob.write_bytes(b"wrong")
    os.utime(blob, (1, 1))
    with pytest.raises(checksums.ChecksumError):
        checksums.verify([link])
    assert not blob.exists()
    assert not link.is_symlink()


SUITE = f"""\
name: h
models: {{m: {MODEL}}}
tasks: {{t: {{kind: text-classification, data: {{hub: stanfordnlp/sst2}}, columns: {{text: sentence}},
             splits: {{test: validation}}, max_length: 8}}}}
regimes: {{linear-probe: {{C: 1}}, full: {{learning_rate: 0.001, steps: 1}}}}
sizes: [16]
seeds: 1
"""


def bench(folder: Path, env: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    (folder / "h.yaml").write_text(SUITE)
    command = [sys.executable, "-c", "from bench.cli import main; main(prog_name='bench')", *arguments]
    path = {"PYTHONPATH": str(Path(checksums.__file__).parents[1])}
    done = subprocess.run(command, cwd=folder, env={**env, **path}, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout, done.stderr


def test_a_silent_hub_ends_a_run_before_anything_is_trained(
    hub_env: dict[str, str], faulty: Callable[..., str], tmp_path: Path
) -> None:
    env = {**hub_env, "HF_ENDPOINT": faulty("*=hang"), "HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
    code, _, error = bench(tmp_path, env, "run", "h.yaml")
    assert code == 2
    assert error.startswith(f"bench: the Hub cannot be reached for model '{MODEL}' at main (")
    assert error.count("\n") == 1
    assert not (tmp_path / "results" / "h" / "records").exists()


def test_with_a_filled_cache_it_goes_on_without_the_hub(
    ask: Callable[..., list[Any]], hub_env: dict[str, str], hub_address: str, tmp_path: Path
) -> None:
    gone = "http://127.0.0.1:9"
    for kind, name in (("model_sources", MODEL), ("data_sources", "stanfordnlp/sst2")):
        found, fingerprint, _ = ask(hub_address, kind, name)
        assert found == "ok", fingerprint
        assert ask(gone, kind, name, locked=fingerprint)[:2] == ["ok", fingerprint]
    code, out, error = bench(
        tmp_path, {**hub_env, "HF_ENDPOINT": gone, "HF_HUB_OFFLINE": "1"}, "run", "h.yaml", "--json"
    )
    assert (code, json.loads(out)["statuses"]) == (0, {"ok": 2}), error
