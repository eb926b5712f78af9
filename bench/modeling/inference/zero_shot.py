"""What ways of answering without training share: loading a model with its own head, and running it in batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contracts import Context, Prepared
from bench.modeling.encoding.arrays import PixelRows, Tokens
from bench.modeling.encoding.pixels import processor_for
from bench.modeling.encoding.text import positions, tokenizer_for
from bench.modeling.inference.batched import batched
from bench.modeling.models.loading import file_options, from_files, require

Tick = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Settings:
    """How to ask a model.

    label_map: {label of the model's own head: label of the task}; batch_size: rows at a time; max_length: tokens, to
    which the text alone is cut; prior: judge a label's likelihood against its likelihood without the text (Zhao et al.
    2021); autocast: a context manager for mixed precision; tick: told of (done, total); few_shot: (example, its label's
    words), to stand in the prompt before what is asked, by a way that is `FEW_SHOT`; prepared: while the time of one
    answer is taken, what was ready before the model runs (`known`).
    """

    label_map: Mapping[str, str]
    device: torch.device
    batch_size: int
    max_length: int
    prior: bool = False
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext
    tick: Tick = lambda done, total: None
    few_shot: Sequence[tuple[Any, str]] = ()
    prepared: Prepared | None = None

    def known(self, key: Any, compute: Callable[[], Any]) -> Any:
        """What `compute` gives; while the time of one answer is taken, from the first call on it takes none."""
        if self.prepared is None:
            return compute()
        if key not in self.prepared:
            self.prepared[key] = compute()
        return self.prepared[key]


def settings(context: Context, task_parameters: Any, prepared: Prepared | None = None) -> Settings:
    """How a trial asks its model. task_parameters: of the task it is asked about, which may be another than its own."""
    return Settings(
        label_map=task_parameters.own_label_map(),
        device=context.device,
        batch_size=context.evaluation_batch,
        max_length=task_parameters.most_tokens(),
        prior=bool(context.trial.regime["parameters"].get("prior")),
        autocast=context.autocast,
        tick=context.progress("predict"),
        few_shot=context.few_shot,
        prepared=prepared,
    )


class Remembering:
    """A tokenizer that keeps its results: a second call takes no time of the tokenizer's."""

    def __init__(self, tokenizer: Any, kept: Prepared) -> None:
        self._tokenizer, self._kept = tokenizer, kept

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        key = "tokens", repr((arguments, options))
        if key not in self._kept:
            self._kept[key] = self._tokenizer(*arguments, **options)
        return self._kept[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


@dataclass
class Loaded:
    """A model on its device, in evaluation mode, and what prepares its inputs (None where the model has none)."""

    model: Any  # an nn.Module; Any because every architecture has attributes of its own
    folder: Path
    tokenizer: Any = None
    image_processor: Any = None

    @property
    def labels(self) -> list[str]:
        """The words of the classification head, in the order of its logits."""
        names = self.model.config.id2label
        return [str(names[i]) for i in sorted(names)]

    def takes(self, argument: str) -> bool:
        """Whether the model's forward has an argument of this name."""
        return argument in inspect.signature(self.model.forward).parameters

    def length(self, max_length: int) -> int:
        """`max_length`, or what the model can take if that is less."""
        return int(min(max_length, self.tokenizer.model_max_length, positions(self.model.config.to_dict())))

    def remembering(self, prepared: Prepared | None) -> Loaded:
        """The same with a tokenizer that keeps its results in `prepared`, where that is given."""
        if prepared is None or self.tokenizer is None:
            return self
        return replace(self, tokenizer=Remembering(self.tokenizer, prepared))


def own_model(
    context: Context, auto: str, *, text: bool = True, image: bool = False, allow_missing: Sequence[str] = ()
) -> Loaded:
    """The trial's pretrained model as transformers' class `auto` builds it, with the head in its files.

    text, image: what it reads. allow_missing: further weights that may be random, because they are not used.
    """
    options = file_options(context)
    options["allow_missing"] = (*allow_missing, *options["allow_missing"])
    dtype = getattr(torch, context.trial.model["parameters"]["dtype"])
    loaded = load(auto, context.folder, context.device, dtype, text=text, image=image, **options)
    context.intact()
    return loaded


def load(
    auto: str,
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    *,
    text: bool = True,
    image: bool = False,
    trust_remote_code: bool = False,
    allow_missing: Sequence[str] = (),
) -> Loaded:
    """Build the auto class `auto` from a local folder.

    Raises ModelError where transformers cannot, or where weights are missing: a random head cannot answer.
    """
    name = str(dtype).removeprefix("torch.")
    model, gaps = from_files(auto, folder, dtype=name, trust_remote_code=trust_remote_code)
    require(folder, model, gaps, model, allow_missing)
    model.config.use_cache = False
    tokenizer = tokenizer_for(folder) if text else None
    if tokenizer is not None and model.config.get_text_config().pad_token_id is None:
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return Loaded(model.to(device).eval(), folder, tokenizer, processor_for(folder) if image else None)


def tokens(loaded: Loaded, encoding: Mapping[str, Sequence[Sequence[int]]]) -> Tokens:
    """A tokenizer's lists as arrays; token types only where the model takes them."""
    ids = encoding["input_ids"]
    types = encoding.get("token_type_ids") if loaded.takes("token_type_ids") else None
    return Tokens.from_rows(ids, types, loaded.tokenizer.pad_token_id)


def run(
    encoded: Tokens,
    forward: Callable[[dict[str, Tensor], np.ndarray], Tensor],
    how: Settings,
    part: tuple[int, int] = (0, 1),
) -> np.ndarray:
    """Apply `forward` (batch, positions → [n, width]) to all rows; float32 [rows, width], in order.

    part: which pass this is of how many equally long ones, for the progress.
    """
    return batched(
        lambda indices: forward(encoded.batch(indices, how.device), indices),
        encoded.lengths,
        how.batch_size,
        how.autocast,
        progress(how.tick, part),
    )


def run_images(
    loaded: Loaded,
    images: PixelRows | Sequence[Any],
    forward: Callable[[dict[str, Tensor]], Tensor],
    how: Settings,
) -> np.ndarray:
    """Apply `forward` (the image processor's tensors → [n, width]) to all images; float32 [images, width]. images: as
    they are encoded already, or Pillow's."""

    def pixels(indices: np.ndarray) -> Mapping[str, Tensor]:
        if isinstance(images, PixelRows):
            return images.batch(indices, how.device)
        found: Mapping[str, Tensor] = loaded.image_processor(
            [images[i].convert("RGB") for i in indices], return_tensors="pt"
        ).to(how.device)
        return found

    def run_batch(indices: np.ndarray) -> Tensor:
        return forward({name: tensor.to(loaded.model.dtype) for name, tensor in pixels(indices).items()})

    return batched(run_batch, np.ones(len(images), np.int64), how.batch_size, how.autocast, progress(how.tick, (0, 1)))


def progress(tick: Tick, part: tuple[int, int]) -> Tick:
    """`tick` over all passes, to be given to one of them."""
    number, parts = part

    def over_all(done: int, total: int | None) -> None:
        tick(number * (total or 0) + done, parts * (total or 0))

    return over_all


def normalised(scores: np.ndarray) -> np.ndarray:
    """log softmax over the last axis, float32."""
    return torch.from_numpy(scores).float().log_softmax(-1).numpy()
