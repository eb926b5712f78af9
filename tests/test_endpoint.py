"""Models behind an endpoint: a real `transformers serve`, and before it a gate that wants a key, is busy, or silent."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from pyarrow import parquet
from shared_executor import share
from tiny_models import tiny_causal
from tiny_tasks import _task, context, question, text_task, trial, write_texts

from bench import api, plugins, redact
from bench.cli import main
from bench.errors import ModelError, SuiteError
from bench.execution.executors.local import Local
from bench.metrics.accuracy import Accuracy
from bench.model_sources.endpoint import EndpointModels, EndpointParameters
from bench.modeling.inference.choose_way import choose
from bench.modeling.inference.endpoint import SENT, Client, turns
from bench.modeling.inference.endpoint_answers import named, scores
from bench.modeling.models.facts import Facts
from bench.modeling.prompts.conversations import Turn
from bench.objectives.classes import Classes
from bench.planning.lock import split
from bench.store import paths, records
from bench.suite.trial import Json, Trial
from bench.trial.run import run

endpoint = EndpointModels()
KEY = "correct-horse-battery"
NAME = "tiny/chat"
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}bot:{% endif %}"
)
BOOT = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"


class Gate(ThreadingHTTPServer):
    """Stands before an endpoint: wants `key`, keeps questions, and does to the next ones what `faults` say.

    A fault: (status, headers, body), "stall" (nothing is said until `over` is set), or None: the question passes.
    """

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind, self.over = behind, threading.Event()
        self.asked: list[Json] = []
        self.key, self.keys = KEY, list[str]()
        self.headers: list[dict[str, str]] = []
        self.listed = 0
        self.list: bytes | None = None  # instead of what lies behind
        self.faults: list[Any] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Gate

    def do_GET(self) -> None:
        self.server.listed += 1
        self._pass(None) if self.server.list is None else self._say(200, {}, self.server.list)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(json.loads(body))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "stall":
            self.server.over.wait(30)
            return
        self._pass(body) if fault is None else self._say(*fault)

    def _pass(self, body: bytes | None) -> None:
        self.server.headers.append(dict(self.headers))
        self.server.keys.append(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if self.server.keys[-1] != self.server.key:
            self._say(401, {}, {"error": {"message": "no such key"}})
            return
        request = urllib.request.Request(self.server.behind + self.path, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self._say(answer.status, {}, answer.read())
        except urllib.error.HTTPError as error:
            self._say(error.code, {}, error.read())

    def _say(self, status: int, headers: dict[str, str], body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


BUSY = (429, {"Retry-After": "0.3"}, {"error": {"message": "slow down"}})
REFUSED = (400, {}, {"error": {"message": "max_tokens is not supported"}})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `transformers serve`, whose cache holds one tiny model with a chat template."""
    home = tmp_path_factory.mktemp("home")
    repository = home / "hub" / "models--tiny--chat"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    _, tokenizer = tiny_causal("llama", snapshot)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(snapshot)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    env = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (home / "log").open("wb") as log:
        command = [sys.executable, "-c", BOOT, "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health"):
                    break
                assert process.poll() is None, (home / "log").read_text()
                time.sleep(0.1)
            yield address
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def gate(served: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate before the served model; MY_LLM holds its key."""
    monkeypatch.setenv("MY_LLM", KEY)
    found = Gate(served)
    threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
    yield found
    found.over.set()
    found.shutdown()
    found.server_close()


def parameters(gate: Gate, **changes: Any) -> EndpointParameters:
    given = {"endpoint": NAME, "base_url": gate.address, "key": "MY_LLM", "max_tokens": 6, "retries": 2, "timeout": 30}
    return EndpointParameters.model_validate(given | changes)


def say(gate: Gate, text: str, **fields: Any) -> Json:
    return parameters(gate).request(turns("", [], text)) | fields


def straight(served: str, request: Json) -> str:
    """What the model answers without bench between."""
    body = json.dumps(request).encode()
    asked = urllib.request.Request(f"{served}/v1/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        found: str = json.load(answer)["choices"][0]["message"]["content"]
    return found


# the whole way

SUITE = """\
name: chat
models:
  chat:
    endpoint: tiny/chat
    base_url: {address}
    key: MY_LLM
    max_tokens: 6
    concurrency: 2
    price: {{input: 1000, output: 3000, currency: EUR}}
tasks:
  films:
    kind: text-classification
    data: {{files: {{train: train.csv, test: test.csv}}}}
    labels: [good, bad]
    templates: ["{{text}} It was {{label}}.", "{{text}}"]
  shorten:
    kind: summarization
    data: {{files: {{train: train.csv, test: test.csv}}}}
    columns: {{document: text, summary: label}}
    decoding: {{max_new_tokens: 4, beams: 2}}
regimes: {{zero-shot: , few-shot: {{k: 2}}, linear-probe: , full: }}
sizes: [8]
seeds: 1
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Runs commands in a folder with data, all their trials by one executor."""
    write_texts(tmp_path / "train.csv", 16, 0)
    write_texts(tmp_path / "test.csv", 6, 1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    local = Local()
    local.start()
    with monkeypatch.context() as patch:
        share(local, patch)
        yield lambda *arguments: CliRunner().invoke(main, list(arguments))
    local.close()


def test_from_a_suite_to_a_report(gate: Gate, bench: Callable[..., Result], served: str, tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(SUITE.format(address=gate.address))
    gate.key = "another"
    done = bench("run", "chat.yaml", "--devices", "cpu")
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "refuses the key in the environment variable MY_LLM" in done.stderr
    gate.key = KEY
    done = bench("run", "chat.yaml", "--devices", "cpu")
    assert done.exit_code == 0, done.output
    every = records.read(tmp_path / "results/chat").records
    assert {r["status"] for r in every} == {"ok"}
    found, shown = (
        {r["trial"]["names"]["task"]: r for r in every if r["trial"]["regime"]["kind"] == kind}
        for kind in ("zero-shot", "few-shot")
    )
    assert found.keys() == shown.keys() == {"films", "shorten"}
    _check_records(found, gate)
    for task, record in shown.items():
        assert record["facts"]["shots"] == 2
        assert "validation" not in record["scores"]  # held-out labels are not asked about: it would cost
        assert record["costs"]["tokens"]["prompt"] > found[task]["costs"]["tokens"]["prompt"]
    _check_answers(found["shorten"], gate, served, tmp_path / "results/chat")
    reasons = {
        (c.names.task, c.names.regime): c.reason for c in api.plan(api.load_suite("chat.yaml")).cells if c.reason
    }
    for task in ("films", "shorten"):
        for regime in ("linear-probe", "full"):
            assert reasons[task, regime] == "it is behind an endpoint, whose weights cannot be trained"

    before = len(gate.asked)
    only = ["--only", "task=films", "--only", "regime=zero-shot"]
    again = bench("run", "chat.yaml", "--results", "other", "--devices", "cpu", *only)
    assert again.exit_code == 0, again.output
    assert len(gate.asked) == before  # all came from the cache, and cost what they had cost
    (record,) = records.read(tmp_path / "other/chat").records
    assert record["scores"] == found["films"]["scores"]
    for cost in ("inference", "tokens", "price"):
        assert record["costs"][cost] == found["films"]["costs"][cost]
    assert record["facts"]["endpoint"]["asked"] == 0
    done = bench("check", "results/chat")
    assert done.exit_code == 0, done.output
    done = bench("report", "results/chat")
    assert done.exit_code == 0, done.output
    report = (tmp_path / "results/chat/report/report.md").read_text()
    assert "price, as the suite states it" in report
    assert "tokens written" in report
    assert "parameters, all" not in report
    for folder in (tmp_path, Path(os.environ["BENCH_CACHE"])):
        for path in folder.rglob("*"):
            assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def _check_records(found: dict[str, Json], gate: Gate) -> None:
    films, shorten = found["films"], found["shorten"]
    for record, requests in ((films, 12), (shorten, 6)):
        costs, facts = record["costs"], record["facts"]["endpoint"]
        assert (facts["requests"], facts["asked"], facts["models"]) == (requests, requests, [f"{NAME}@main"])
        assert costs["inference"].keys() == {"latency_seconds"}
        assert costs["inference"]["latency_seconds"] > 0
        assert not costs.keys() & {"parameters", "stored_bytes", "flops", "energy_joules"}
        tokens = costs["tokens"]
        assert tokens["prompt"] > 10 * requests
        assert 0 < tokens["completion"] <= 6 * requests
        amount = (1000 * tokens["prompt"] + 3000 * tokens["completion"]) / 1e6
        assert costs["price"] == {"amount": pytest.approx(amount), "currency": "EUR", "input": 1000, "output": 3000}
    assert films["facts"]["templates"] == ["{text} It was {label}.", "{text}"]
    assert shorten["facts"]["template"] == "{text}"
    assert "nothing else: good, bad." in films["facts"]["endpoint"]["system"]
    assert "Summarise" in shorten["facts"]["endpoint"]["system"]
    assert "an endpoint is not told the task's decoding: beams" in shorten["facts"]["notes"]
    said = [request["messages"] for request in gate.asked]
    assert sorted(len(messages) for messages in said) == [2] * 18 + [6] * 18
    assert {messages[0]["content"] for messages in said} == {r["facts"]["endpoint"]["system"] for r in found.values()}
    assert sum(messages[1]["content"].endswith(" It was ____.") for messages in said if len(messages) == 2) == 6
    assert set(gate.keys) == {KEY}


def _check_answers(record: Json, gate: Gate, served: str, results: Path) -> None:
    """What is kept is what the model writes, in the order of the examples."""
    file = paths.predictions(results, record["trial"]["id"], record["attempt"])
    kept = parquet.read_table(file).to_pydict()["answer"]
    lines = Path("test.csv").read_text().splitlines()[1:]
    texts = [line.rpartition(",")[0] for line in lines]
    system = record["facts"]["endpoint"]["system"]
    plain = [say(gate, text, messages=turns(system, [], text), max_tokens=4) for text in texts]
    assert kept == [straight(served, request).strip() for request in plain]
    assert len(set(kept)) > 1


# one trial, in this process


def tried(gate: Gate, folder: Path, way_of: str = "endpoint", **changes: Any) -> Trial:
    """A classification by the model behind the gate."""
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model/config.json").write_text("{}")
    (folder / "model/model.safetensors").write_text("")
    content, place = split(parameters(gate, **changes))
    local = trial(folder / "model", text_task(folder, test=8), "zero-shot", {})
    return replace(
        local,
        model={"source": "endpoint", "version": 1, "parameters": content, "fingerprint": "0"},
        regime=local.regime | {"way": way_of},
        locations=local.locations | {"model": place},
    )


def order(of: Trial, folder: Path) -> Json:
    files = {"config.json": '{"architectures": ["Endpoint"]}'}
    return {"trial": of.to_json(), "attempt": "a-1", "results": str(folder), "files": files}


def record_of(of: Trial, folder: Path) -> Json:
    """Its record, of a worker that was given a device, which is left alone."""
    record: Json = {}
    run(order(of, folder), torch.device("cuda"), 1, lambda stage, done, total: None, record)
    assert record["environment"]["device"] == "cpu"
    return record


def test_a_model_that_keeps_to_the_labels_is_scored_by_them(gate: Gate, tmp_path: Path) -> None:
    _, tokenizer = tiny_causal("llama", tmp_path)
    ids = {word: tokenizer.encode(f" {word}", add_special_tokens=False) for word in ("good", "bad")}
    first = {word: found[0] for word, found in ids.items()}
    labels = [tokenizer.decode([first[word]]).strip() for word in ("good", "bad")]
    options = {"logit_bias": {str(first[word]): 100.0 for word in first}}
    of = tried(gate, tmp_path, max_tokens=1, options=options)
    of.task["parameters"]["labels"] = {"good": labels[0], "bad": labels[1]}
    record = record_of(of, tmp_path / "results")
    assert not [note for note in record["facts"]["notes"] if "named no label" in note]
    truth = [line.rpartition(",")[2] for line in (tmp_path / "test.csv").read_text().splitlines()[1:]]
    said = [straight(gate.behind, request).strip() for request in gate.asked]
    by_text = {request["messages"][-1]["content"]: answer for request, answer in zip(gate.asked, said, strict=True)}
    texts = [line.rpartition(",")[0] for line in (tmp_path / "test.csv").read_text().splitlines()[1:]]
    names = dict(zip(("good", "bad"), labels, strict=True))
    right = [by_text[text] == names[label] for text, label in zip(texts, truth, strict=True)]
    assert set(said) <= set(labels)
    assert record["scores"]["test"]["accuracy"] == pytest.approx(np.mean(right))


def test_shots_are_earlier_turns_and_the_suites_words_come_first(gate: Gate, tmp_path: Path) -> None:
    of = tried(gate, tmp_path, system="One of {labels}, please.")
    here, _ = context(of, tmp_path, order=order(of, tmp_path))
    asked = here.replace(few_shot=(("a joy", "good"), ("dull", "bad")))
    plugins.load("zeroshot", "endpoint").predictor(asked, None)(here.parts["test"])
    assert len(gate.asked) == 8
    for request in gate.asked:
        *earlier, last = request["messages"]
        assert [m["content"] for m in earlier] == ["One of good, bad, please.", "a joy", "good", "dull", "bad"]
        assert [m["role"] for m in earlier] == ["system", "user", "assistant", "user", "assistant"]
        assert last["content"] in here.examples("test").inputs


def told(gate: Gate, folder: Path, kind: str, rows: list[Json], answers: list[str], shots: Any, **own: Any) -> Any:
    """A way's answers to the rows, and its notes, where the endpoint says just these."""
    files = {"train": str(folder / "train.jsonl"), "test": str(folder / "test.jsonl")}
    for name, end in (("train", " then"), ("test", "")):
        lines = [json.dumps({**row, "context": row["context"] + end}) + "\n" for row in rows]
        Path(files[name]).write_text("".join(lines))
    task, location = _task(kind, "files", {"files": files}, [], own)
    del task["parameters"]["labels"]
    of = tried(gate, folder, concurrency=1)
    of = replace(of, task=task, locations=of.locations | {"data": location})
    here, _ = context(of, folder, order=order(of, folder))
    chosen, _ = choose(here.facts, question(objective=here.task.OBJECTIVE), few_shot=True)
    message = {"object": "chat.completion", "id": "1", "created": 1, "model": NAME}
    gate.faults = [(200, {}, message | {"choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": text}}]}) for text in answers]  # fmt: skip
    predict = plugins.load("zeroshot", str(chosen)).predictor(here.replace(few_shot=tuple(shots)), None)
    found = predict(here.parts["test"])
    return found.answers, list(found.notes)


def test_words_of_the_context_are_asked_for(gate: Gate, tmp_path: Path) -> None:
    none: Json = {"text": [], "answer_start": []}
    contexts = ["a joy", "the {question} end", "a film", "a plot"]
    rows = [{"context": context, "question": "is {context} it", "answers": none} for context in contexts]
    answers = [" joy. \nIt says so.", "**Unanswerable.**", "unanswerable film", ""]
    shots = [(("who", "dull"), ""), (("what", "a start"), "start")]
    found, notes = told(
        gate, tmp_path, "question-answering", rows, answers, shots,
        unanswerable=True, decoding={"max_new_tokens": 5, "beams": 2},
    )  # fmt: skip
    assert found == [["joy.", "", "unanswerable film", ""]]
    assert "an endpoint is not told the task's decoding: beams" in notes
    system, *earlier, last = gate.asked[1]["messages"]
    assert system["content"].endswith("nothing else. Where the context does not answer it, say: unanswerable")
    assert [m["content"] for m in earlier] == [
        "Context: dull\nQuestion: who\nAnswer:", "unanswerable", "Context: a start\nQuestion: what\nAnswer:", "start",
    ]  # fmt: skip
    assert last["content"] == "Context: the {question} end\nQuestion: is {context} it\nAnswer:"
    assert gate.asked[1]["max_tokens"] == 5


def test_the_letter_of_a_choice_is_asked_for(gate: Gate, tmp_path: Path) -> None:
    lists = [["good", "bad"], ["x", "y", "z"], ["{text}", "no"], ["x", "y", "z"], ["x", "y"]]
    rows = [{"context": f"c{i}", "choices": own, "label": 1} for i, own in enumerate(lists)]
    answers = ["(b)", "B. y", "C", "a.", ""]
    shots = [(("it", "is", "was"), "was")]
    found, notes = told(gate, tmp_path, "multiple-choice", rows, answers, shots, templates=["So {text} = {label}"])
    assert found.shape == (1, 5, 3)
    assert found[0].argmax(-1).tolist() == [1, 0, 0, 0, 0]
    assert np.exp(found[0]).sum(-1) == pytest.approx(1, abs=1e-5)
    assert np.isneginf(found[0, [0, 2, 4], 2]).all()
    assert notes == ["3 of 5 answers to test examples named no choice and count as wrong"]
    system, *earlier, last = gate.asked[2]["messages"]
    assert "letter of the right choice" in system["content"]
    assert [m["content"] for m in earlier] == ["So it = ____\nA. is\nB. was", "B"]
    assert last["content"] == "So c2 = ____\nA. {text}\nB. no"


def test_a_conversations_own_system_comes_before_the_suites() -> None:
    said = (Turn("system", "Be brief."), Turn("user", "Hi."), Turn("assistant", "Ho."), Turn("user", "Why?"))
    found = turns("Answer.", [((Turn("system", "Sing."), Turn("user", "A")), "B"), ("C", "D")], said)
    assert [(m["role"][0], m["content"]) for m in found] == [
        ("s", "Be brief."), ("u", "A"), ("a", "B"), ("u", "C"), ("a", "D"), ("u", "Hi."), ("a", "Ho."), ("u", "Why?"),
    ]  # fmt: skip
    assert turns("", [], "C") == [{"role": "user", "content": "C"}]


def test_a_trial_that_was_cut_short_asks_only_what_is_missing(gate: Gate, tmp_path: Path) -> None:
    of = tried(gate, tmp_path, concurrency=1)
    gate.faults = [None, None, None, REFUSED]
    with pytest.raises(ModelError, match=r"refuses the request \(400: .*max_tokens is not supported"):
        record_of(of, tmp_path / "one")
    record = record_of(of, tmp_path / "two")
    assert record["facts"]["endpoint"]["requests"] == 8
    assert record["facts"]["endpoint"]["asked"] in (4, 5)  # the fifth may have been on its way when the fourth failed
    assert len(gate.asked) == 8 + 1
    assert "8 of 8 answers to test examples named no label and count as wrong" in record["facts"]["notes"]
    assert record["scores"]["test"]["accuracy"] == 0


# the endpoint's moods


def test_a_busy_endpoint_is_asked_again_when_it_says(gate: Gate) -> None:
    gate.faults = [BUSY, BUSY]
    begun = time.monotonic()
    client = Client(parameters(gate, retries=2))
    (answer,) = client.answers([say(gate, "the film")], lambda done, total: None)
    assert time.monotonic() - begun >= 0.6
    assert len(gate.asked) == 3
    assert client.asked == 1
    assert answer.completion_tokens
    assert 0 < answer.seconds < time.monotonic() - begun - 0.5
    gate.faults = [BUSY] * 3
    with pytest.raises(
        ModelError, match=r"has no quota left or is asked too often \(429: .*slow down.*\); wait, lower"
    ):
        Client(parameters(gate, retries=2)).answers([say(gate, "the plot")], lambda done, total: None)
    assert len(gate.asked) == 6


def test_a_silent_endpoint_is_a_failure_in_good_time_and_no_hang(gate: Gate) -> None:
    gate.faults = ["stall"] * 4
    ticks: list[tuple[int, int]] = []
    begun = time.monotonic()
    with pytest.raises(ModelError, match=r"was asked 2 times and gave no answer within 0\.8 s; raise `timeout`"):
        Client(parameters(gate, timeout=0.8, retries=1)).answers(
            [say(gate, "a"), say(gate, "b")], lambda done, total: ticks.append((done, total))
        )
    assert time.monotonic() - begun < 2 * 0.8 + 5
    assert (0, 2) in ticks  # a sign of life while nothing came


def test_the_lock_says_what_is_wrong_and_what_to_do(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = endpoint.lock(parameters(gate))
    assert (gate.listed, len(gate.asked)) == (1, 0)  # the list has it
    facts = Facts.from_files(locked["files"])
    assert (facts.head, facts.modality) == ("endpoint", "text")
    assert choose(facts, question(["a", "b"])) == ("endpoint", None)
    assert choose(facts, question(objective="texts")) == ("endpoint-texts", None)
    assert choose(facts, question(["a", "b"], modality="image"))[0] is None
    assert choose(facts, question(objective="spans")) == ("endpoint-spans", None)
    assert choose(facts, question(objective="choices")) == ("endpoint-choices", None)
    for objective, few_shot in itertools.product(("tags", "values", "label-sets", "likelihoods"), (False, True)):
        reason = f"a model behind an endpoint is not asked for {objective}"
        assert choose(facts, question(["a", "b"], objective), few_shot=few_shot) == (None, reason)
    assert locked == endpoint.lock(parameters(gate, base_url=f"{gate.address}/", timeout=9))
    with pytest.raises(ModelError, match=r"failed \(500: .*; did you mean 'tiny/chat'\?"):
        endpoint.lock(parameters(gate, endpoint="tiny/chats", retries=0))
    gate.faults = [(404, {}, {"error": {"message": "nowhere"}})]
    with pytest.raises(ModelError, match=r"has no model 'gone' .*check the name"):
        endpoint.lock(parameters(gate, endpoint="gone"))
    gate.faults = [(200, {"Content-Type": "text/html"}, b"<html>")]
    with pytest.raises(ModelError, match="something else than a chat completion"):
        endpoint.lock(parameters(gate, endpoint="page"))
    gate.faults = [(200, {}, b"{")]
    with pytest.raises(ModelError, match="something else than a chat completion"):
        endpoint.lock(parameters(gate, endpoint="torn"))
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9.*cannot be reached"):
        endpoint.lock(parameters(gate, base_url="http://127.0.0.1:9/v1", retries=0))
    monkeypatch.setenv("MY_LLM", "wrong-horse-battery")
    with pytest.raises(ModelError, match="refuses the key in the environment variable MY_LLM") as caught:
        endpoint.lock(parameters(gate))
    assert "horse" not in str(caught.value)
    monkeypatch.delenv("MY_LLM")
    with pytest.raises(ModelError, match="the environment variable MY_LLM holds no key"):
        endpoint.lock(parameters(gate))


def test_a_model_that_no_list_names_is_asked_one_word(gate: Gate) -> None:
    endpoint.lock(parameters(gate, endpoint=f"{NAME}@main"))
    assert [request["max_tokens"] for request in gate.asked] == [1]


def test_a_key_goes_only_where_the_suite_sends_it(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ModelError, match=r"asks for a key .*name the environment variable that holds it under `key`"):
        endpoint.lock(parameters(gate, key=None))
    assert KEY not in gate.keys
    assert not any("Authorization" in headers for headers in gate.headers)


def test_nothing_is_sent_that_the_suite_does_not_name(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "not-yours")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: not-yours\nAuthorization: Bearer not-yours")
    endpoint.lock(parameters(gate, endpoint=f"{NAME}@main"))
    assert gate.keys == [KEY, KEY]
    for headers in gate.headers:
        assert "not-yours" not in str(headers)
        assert {name.lower() for name in headers} - {"authorization"} <= SENT
    gate.faults = [(307, {"Location": f"{gate.address}/elsewhere"}, {})]
    with pytest.raises(ModelError, match=r"sends elsewhere \(.*/elsewhere\), where nothing is sent"):
        Client(parameters(gate)).ask(say(gate, "a"))
    assert len(gate.headers) == 2


COMPLETION: Json = {"object": "chat.completion", "id": "1", "created": 1, "model": NAME}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"choices": [{"message": None}]}, r"its choices\[0\]\.message is null"),
        ({"choices": [{"message": "hello"}]}, r"its choices\[0\]\.message is \"hello\""),
        (
            {"choices": [{"message": {"content": [{"text": "hello"}]}}]},
            r"its choices\[0\]\.message\.content is no text",
        ),
        ({"choices": [{"message": {"content": 1}}]}, r"message\.content is no text"),
        ({"choices": [{"text": "hello"}]}, r"it has no choices\[0\]\.message"),
        ({"choices": [None]}, r"it has no choices\[0\]\.message"),
        ({"choices": []}, r"it has no choices\[0\]"),
        ({"choices": None}, r"it has no choices\[0\]"),
        ({"choices": {"0": 1}}, r"it has no choices\[0\]"),
        ({}, "it has no choices"),
        (b"[1]", "it has no choices"),
        (b"null", "it has no choices"),
        (b"", "something else than a chat completion"),
        (b"[" * 200_000, "something else than a chat completion"),
        (b"\xff\xfe", "something else than a chat completion"),
    ],
)
def test_what_is_no_answer_is_one_line(gate: Gate, answer: Any, said: str) -> None:
    body = answer if isinstance(answer, bytes) else COMPLETION | answer
    gate.faults = [(200, {}, body)]
    with pytest.raises(ModelError, match=said) as caught:
        Client(parameters(gate)).ask(say(gate, "a"))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"the endpoint at {gate.address} answers with something else")
    assert len(str(caught.value)) < 400


def test_what_is_odd_beside_an_answer_is_left_out(gate: Gate) -> None:
    said = {"choices": [{"message": {"content": "hello \ud800"}}], "usage": {"prompt_tokens": "3"}, "model": 1}
    gate.faults = [(200, {}, COMPLETION | said), (200, {}, COMPLETION | {"choices": [{"message": {}}], "usage": 7})]
    client = Client(parameters(gate))
    found, empty = client.ask(say(gate, "a")), client.ask(say(gate, "b"))
    assert (found.text, found.prompt_tokens, found.completion_tokens, found.model) == ("hello ?", None, None, None)
    assert (empty.text, empty.prompt_tokens, empty.model) == ("", None, NAME)


def test_an_odd_list_of_models_is_none(gate: Gate) -> None:
    for gate.list in (b"7", b"{}", b'{"data": [null, {"id": "x"}]}', b'{"data": {"id": "x"}}', b"<html>"):
        assert set(Client(parameters(gate)).models()) <= {"x"}


# what a suite may say


def test_what_determines_an_answer_is_in_the_id_and_nothing_else() -> None:
    given: Json = {"endpoint": "m", "base_url": "https://a.example/v1/", "key": "MY_LLM", "price": None}
    content, place = split(EndpointParameters.model_validate(given))
    assert place.keys() == EndpointParameters.PLACES
    assert content.keys() == {
        *("endpoint", "base_url", "system", "max_tokens", "temperature", "options", "pooling", "dtype")
    }
    assert content["base_url"] == "https://a.example/v1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("key: sk-proj-A1b2C3d4E5f6G7h8I9j0K1l2", "looks like a key or a password"),
        ("key: A1b2C3d4E5f6G7h8I9j0K1l2", "must be the name of an environment variable"),
        ("options: {api_key: gsk_A1b2C3d4E5f6G7h8I9j0K1l2}", "looks like a key or a password"),
        ("system: correct-horse-battery", "looks like a key or a password"),
        ("options: {stream: true}", "must not hold stream"),
        ("dtype: bfloat16", "takes neither pooling nor dtype"),
        ("price: {input: 1}", "missing"),
    ],
)
def test_a_suite_with_a_key_in_it_is_refused(
    line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", KEY)
    text = SUITE.format(address="https://a.example/v1").replace("key: MY_LLM", line)
    (tmp_path / "chat.yaml").write_text(text.replace("    price: {input: 1000, output: 3000, currency: EUR}\n", ""))
    with pytest.raises(SuiteError) as caught:
        api.load_suite(tmp_path / "chat.yaml")
    assert said in str(caught.value)
    assert len(caught.value.problems) == 1
    assert "A1b2" not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("address", ["https://me:pw@a.example/v1", "https://a.example/v1?api_key=1", "a.example"])
def test_an_address_holds_no_credentials(address: str) -> None:
    with pytest.raises(ValueError, match=r"without credentials or a query|looks like a key"):
        EndpointParameters.model_validate({"endpoint": "m", "base_url": address})


def test_the_keys_variable_is_hidden_whatever_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_hidden", set())
    monkeypatch.setenv("ELSE", "123456789012")
    assert redact.redact("it is 123456789012") == "it is 123456789012"
    EndpointParameters.model_validate({"endpoint": "m", "base_url": "https://a.example/v1", "key": "ELSE"})
    assert redact.redact("it is 123456789012") == "it is [secret]"
    assert redact.redact("sk-learn-contrib-imbalanced-learn and sk-A1b2C3d4E5f6G7h8I9j0K1") == (
        "sk-learn-contrib-imbalanced-learn and [secret]"
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("good", 0),
        (" Good.\n", 0),
        ("**BAD**!", 1),
        ("“very good”", 2),
        ("It is good", None),
        ("good, bad", None),
        ("", None),
        ("C++", 4),
        ("c", 3),
        ("好。", 5),
    ],
)
def test_an_answer_is_read_to_the_letter(text: str, number: int | None) -> None:
    assert named(text, ["good", "bad", "very good", "C", "C++", "好"]) == number


def test_an_answer_that_names_no_label_is_wrong_whatever_the_label() -> None:
    targets = np.array([0, 1, 2, 2])
    found = scores([None, None, None, 2], targets, 3, Classes.FLOOR)
    assert Accuracy().score(targets, found) == 0.25
    assert np.exp(found).sum(-1) == pytest.approx(1, abs=1e-5)
