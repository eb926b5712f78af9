"""The one place for what torch, transformers, datasets and huggingface_hub do not promise to keep.

Each use has a fallback, or ends in one sentence that names the library, its release and what is gone. `USED` lists them
for docs/dependencies.md and for the test that says which release took one away.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError

if TYPE_CHECKING:
    import datasets

ATTENTION = "ops.aten._scaled_dot_product_flash_attention_for_cpu"
ATTENTION_BACKWARD = "ops.aten._scaled_dot_product_flash_attention_for_cpu_backward"
SDPA_MASK = "masking_utils.sdpa_mask"
CONVERSIONS = "conversion_mapping.get_checkpoint_conversion_mapping"
CONV1D = "pytorch_utils.Conv1D"
SNAKE_CASE = "naming.camelcase_to_snakecase"
CACHE = "packaged_modules.cache.cache.Cache"
XOPEN = "utils.file_utils.xopen"
CLIENT = "utils._http.default_client_factory"
STATISTICS = "metrics.base.Metric._extract_corpus_statistics"

USED = (
    ("torch", ATTENTION),
    ("torch", ATTENTION_BACKWARD),
    ("transformers", SDPA_MASK),
    ("transformers", CONVERSIONS),
    ("transformers", CONV1D),
    ("datasets", SNAKE_CASE),
    ("datasets", CACHE),
    ("datasets", XOPEN),
    ("huggingface_hub", CLIENT),
    ("sacrebleu", STATISTICS),
)
"""(library, what is used of it)."""


def find(library: str, name: str) -> Any:
    """What a library calls `name`, in whichever of its modules that is. Raises BenchError where it is gone."""
    steps = name.split(".")
    try:
        for count in reversed(range(len(steps))):  # the longest part that is a module: a name may stand for both
            with contextlib.suppress(ModuleNotFoundError):
                module = importlib.import_module(".".join([library, *steps[:count]]))
                return functools.reduce(getattr, steps[count:], module)
        importlib.import_module(library)
    except (ImportError, AttributeError) as error:
        raise BenchError(f"{library} {version(library)} has no {name}; install a release that has it") from error


def has(library: str, name: str) -> bool:
    """Whether a library still has it."""
    with contextlib.suppress(BenchError):
        find(library, name)
        return True
    return False


def cpu_attention() -> tuple[Any, Any]:
    """Torch's kernels of attention on a CPU, forward and backward. Raises BenchError: a count of FLOPs without them
    would be wrong."""
    return find("torch", ATTENTION), find("torch", ATTENTION_BACKWARD)


def leave_masks_unread() -> None:
    """Have transformers build every SDPA mask without first reading whether it masks anything, which would make the
    host wait for the device in every step. Where it has no such function it goes on as it does."""
    if not has("transformers", SDPA_MASK):
        return
    from transformers import AttentionMaskInterface

    sdpa_mask = find("transformers", SDPA_MASK)

    def unread(*args: Any, attention_mask: Any = None, **options: Any) -> Any:
        if attention_mask is not None:
            options |= {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
        return sdpa_mask(*args, attention_mask=attention_mask, **options)

    AttentionMaskInterface.register("sdpa", unread)


def read_old_weights_names() -> None:
    """Have transformers build its names for old weights, which takes half a second, once and not in each trial."""
    if has("transformers", CONVERSIONS):
        with contextlib.suppress(Exception):  # each trial does without
            find("transformers", CONVERSIONS)("")


def linear_kinds() -> tuple[type, ...]:
    """Modules that are linear layers: torch's own, and transformers' with turned weights where it has one."""
    from torch import nn

    return (nn.Linear, find("transformers", CONV1D)) if has("transformers", CONV1D) else (nn.Linear,)


def prepared(name: str, config: str, commit: str) -> datasets.DatasetDict | None:
    """What `datasets` prepared earlier of a data set on the Hub at a commit; None where there is nothing, or where the
    library does not let itself be asked."""
    import datasets

    if not (has("datasets", SNAKE_CASE) and has("datasets", CACHE)):
        return None
    *owner, short = name.split("/")
    root = Path(datasets.config.HF_DATASETS_CACHE, "___".join([*owner, find("datasets", SNAKE_CASE)(short)]))
    for info in root.glob(f"{config}/*/{commit}/dataset_info.json"):
        kept = {"config_name": info.parts[-4], "version": info.parts[-3], "hash": commit}
        return find("datasets", CACHE)(repo_id=name, dataset_name=short, **kept).as_dataset()
    return None


def open_within(path: str) -> Any:
    """A file opened for reading, perhaps one within an archive as `zip://a.png::/data.zip`."""
    if has("datasets", XOPEN):
        return find("datasets", XOPEN)(path, "rb")
    return find("fsspec", "open")(path, "rb").open()  # what `datasets` itself opens it by


def hub_client() -> Callable[[], Any] | None:
    """What makes the HTTP client of huggingface_hub; None where it is not to be had."""
    found: Callable[[], Any] | None = find("huggingface_hub", CLIENT) if has("huggingface_hub", CLIENT) else None
    return found


def sentence_statistics(
    counter: Any, answers: Sequence[str], references: Sequence[Sequence[str | None]]
) -> list[list[int]]:
    """What each sentence adds to a metric of SacreBLEU's. references: [references][sentences]. Raises BenchError: the
    interval of the score would be wrong."""
    found: list[list[int]] = find("sacrebleu", STATISTICS)(counter, answers, references)
    return found
