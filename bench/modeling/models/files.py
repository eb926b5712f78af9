"""Which files of a model's folder matter: those that transformers reads, and the small ones that planning reads."""

from __future__ import annotations

import json
from pathlib import Path

from bench.errors import ModelError

CONFIGS = (
    "config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "generation_config.json",
    "modules.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
)
MOST_BYTES = 200_000
READ = ("*.json", "*.txt", "*.model", "*.spm", "*.jinja", "*.tiktoken", "*.safetensors")
PICKLED = "pytorch_model*.bin"
"""Only where there is no safetensors, and only by torch's unpickler for weights, which builds nothing but tensors."""
CODE = "*.py"
"""Only where the suite trusts the model's own code."""
NEVER = (
    "onnx/*",
    "openvino/*",
    "coreml/*",
    "original/*",
    "consolidated*",
    "flax_model*",
    "tf_model*",
    "checkpoint-*/*",
    "adapter_config.json",
)


def configs(folder: Path, model: str) -> dict[str, str]:
    """Name → text of a model's small configuration files. Raises ModelError where config.json is not among them."""
    found = {}
    for name in CONFIGS:
        path = folder / name
        try:
            if path.is_file() and path.stat().st_size <= MOST_BYTES:
                found[name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"model {model}: {name} cannot be read: {error}") from error
    if (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"model {model} holds an adapter_config.json, which would have transformers load some other model; "
            "take it out of the folder, or merge the adapter first"
        )
    if "config.json" not in found:
        raise ModelError(f"model {model} has no config.json, so it is no model that transformers loads")
    return _named(folder, found)


def _named(folder: Path, files: dict[str, str]) -> dict[str, str]:
    """Its files with the labels of ImageNet in a config of timm's that leaves them to timm, which planning has not."""
    try:
        config = json.loads(files["config.json"])
    except (RecursionError, ValueError):  # said where it is read
        return files
    if (
        not isinstance(config, dict)
        or not {"architecture", "pretrained_cfg"} <= config.keys()
        or "label_names" in config
    ):
        return files
    from transformers import AutoConfig

    words = AutoConfig.from_pretrained(folder, local_files_only=True).id2label
    named = {**config, "label_names": [words[number] for number in sorted(words)]}
    return {**files, "config.json": json.dumps(named)}


def has_weights(names: list[str]) -> bool:
    """Whether weights that transformers loads are among these file names."""
    return any(Path(name).match("*.safetensors") or Path(name).match(PICKLED) for name in names)
