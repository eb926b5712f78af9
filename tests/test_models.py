"""Model sources: exactly the locked files, or one sentence that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from bench import plugins
from bench.errors import ModelError
from bench.model_sources.folder import FolderModelParameters
from bench.model_sources.hub import _refuse_others_code
from bench.planning.lock import split

folder, hub = plugins.load("model_sources", "folder"), plugins.load("model_sources", "hub")
Run = Callable[[str, dict[str, str]], str]


def model(root: Path, *without: str) -> FolderModelParameters:
    """A folder with the files that a model has."""
    contents = {
        "config.json": json.dumps({"model_type": "bert"}),
        "tokenizer.json": "{}",
        "1_Pooling/config.json": "{}",
        "model.safetensors": "weights",
        "onnx/model.onnx": "onnx",
        "README.md": "text",
    }
    for name in contents.keys() - set(without):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(contents[name])
    return folder.Parameters(folder=root)


def test_a_folder_is_known_by_what_is_read_of_it(tmp_path: Path) -> None:
    one, two = model(tmp_path / "a"), model(tmp_path / "b", "onnx/model.onnx", "README.md")
    locked = folder.lock(one)
    assert locked == folder.lock(two)
    assert locked["files"] == {"config.json": '{"model_type": "bert"}', "1_Pooling/config.json": "{}"}
    assert folder.fetch(one, locked["fingerprint"]) == tmp_path / "a"
    (tmp_path / "a" / "model.safetensors").write_text("other")
    assert folder.fingerprint(one) != locked["fingerprint"]


def test_folders_that_hold_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no folder"):
        folder.lock(folder.Parameters(folder=tmp_path / "absent"))
    with pytest.raises(ModelError, match=r"has no config\.json"):
        folder.lock(model(tmp_path / "a", "config.json"))
    with pytest.raises(ModelError, match="holds no weights"):
        folder.lock(model(tmp_path / "b", "model.safetensors"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "config.json").write_bytes(b"\xff")
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        folder.lock(folder.Parameters(folder=tmp_path / "c"))


def test_a_models_own_code_needs_a_commit() -> None:
    with pytest.raises(ValidationError, match="full commit of 40 hex digits"):
        hub.Parameters(hub="a/b", trust_remote_code=True)
    assert hub.Parameters(hub="a/b", trust_remote_code=True, revision="0123456789" * 4).trust_remote_code


def test_trust_is_part_of_the_trial_and_ends_at_the_repository() -> None:
    content, place = split(hub.Parameters(hub="a/b", trust_remote_code=True, revision="0123456789" * 4))
    assert content["trust_remote_code"] is True
    assert place == {"revision": "0123456789" * 4}
    own = json.dumps({"auto_map": {"AutoModel": "code.Model"}})
    _refuse_others_code("a/b", {"config.json": own, "generation_config.json": "[1]", "tokenizer_config.json": "{"})
    for other in ("x/y--code.Model", ["code.A", "x/y--code.B"]):
        files = {"tokenizer_config.json": json.dumps({"auto_map": {"AutoTokenizer": other}})}
        with pytest.raises(ModelError, match=r"tokenizer_config\.json runs code of another repository"):
            _refuse_others_code("a/b", files)


FETCH = """
import bench.hub.client; bench.hub.client.WAITS = bench.hub.client.WAITS[:{waits}]
from bench import plugins
from bench.errors import BenchError
hub = plugins.load("model_sources", "hub")
for name, revision in {cases!r}:
    try:
        parameters = hub.Parameters(hub=name, revision=revision)
        locked = hub.lock(parameters)
        path = hub.fetch(parameters, locked["fingerprint"])
        print(path.name == locked["fingerprint"], sorted(locked["files"]), sorted(p.name for p in path.glob("*.*")))
    except BenchError as error:
        print(type(error).__name__, error)
"""
LLAMA = (
    "True ['config.json', 'generation_config.json', 'tokenizer_config.json'] "
    "['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']"
)


@pytest.mark.hub
def test_a_real_model_online_and_then_offline(
    hub_env: dict[str, str], serve_hub: Callable[..., str], python: Run
) -> None:
    source = FETCH.format(cases=[("mirror/stories260k-llama", "main")], waits=1)
    stumbling = serve_hub("*api/models*=503*1", "*safetensors=503*1", "*safetensors=cut*1")
    assert python(source, {**hub_env, "HF_ENDPOINT": stumbling}).strip() == LLAMA
    offline = {**hub_env, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert python(source, offline).strip() == LLAMA


@pytest.mark.hub
def test_a_lock_alone_is_not_a_download(hub_env: dict[str, str], python: Run) -> None:
    source = """
    import bench.model_sources.hub
    from bench import plugins
    from bench.errors import HubError
    hub = plugins.load("model_sources", "hub")
    parameters = hub.Parameters(hub="mirror/stories260k-llama")
    fingerprint = hub.lock(parameters)["fingerprint"]
    bench.model_sources.hub.is_offline = lambda: True
    try:
        hub.fetch(parameters, fingerprint)
    except HubError as error:
        print(error)
    """
    assert "mirror/stories260k-llama" in python(source, hub_env)


@pytest.mark.hub
def test_what_the_hub_does_not_have(hub_env: dict[str, str], python: Run) -> None:
    cases = [("no/such", "main"), ("mirror/stories260k-llama", "v9"), ("mirror/gpt2-tokenizer", "main")]
    found = python(FETCH.format(cases=cases, waits=0), hub_env).splitlines()
    for line, start in zip(
        found,
        (
            "ModelError the Hub has no model 'no/such' at main, or it is private: check the spelling;",
            "ModelError model 'mirror/stories260k-llama' has no revision 'v9' on the Hub",
            "ModelError model 'mirror/gpt2-tokenizer' at main holds no weights",
        ),
        strict=True,
    ):
        assert line.startswith(start)
    gone = python(FETCH.format(cases=cases[:1], waits=0), {**hub_env, "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert gone.startswith("HubError the Hub cannot be reached for model 'no/such' at main (ConnectionRefusedError")
