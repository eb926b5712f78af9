"""What planning and reporting do without and running does not: the extra `run` of pyproject.toml."""

from __future__ import annotations

from importlib.util import find_spec

from bench.errors import UsageError

NEEDED = ("torch", "torchvision", "transformers", "peft", "accelerate", "datasets", "huggingface_hub", "safetensors")


def require() -> None:
    """Raises UsageError where a library that loads, trains or downloads models is not installed."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise UsageError(
            f"this needs {', '.join(absent)}, and this installation plans and reports only; install the rest: "
            "pip install 'retrain-bench[run]' (in a checkout: pip install '.[run]')"
        )
