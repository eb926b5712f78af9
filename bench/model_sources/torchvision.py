"""A classifier of torchvision's: `{torchvision: vgg16, weights: IMAGENET1K_V1}`, or with a file of weights.

Published weights come from where torchvision keeps them, by its own loader, which compares their hash; images are
prepared as those weights' own transforms do. What was locked is kept in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from bench.contracts import ModelSource
from bench.errors import ModelError, did_you_mean
from bench.hub.checksums import hashed
from bench.modeling.models.files import configs
from bench.modeling.networks.parameters import Input, NetworkParameters, processor_settings
from bench.store.cache import cached
from bench.suite.trial import Json, digest

AUXILIARY = {"googlenet", "inception_v3"}
"""They answer with several outputs where they train."""
MAKES = {"torchvision", "input", "labels", "seed", "allow_missing"}
"""What makes a network of its weights."""


class TorchvisionParameters(NetworkParameters):
    """Which network, from what weights."""

    torchvision: str = Field(description="torchvision's name: resnet50, vgg16, mobilenet_v2, vit_b_16, …")
    weights: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | Path | None = Field(
        default=None, description="torchvision's name of published weights, or a file with a state dict; null: random"
    )
    input: Input | None = Field(
        default=None, description="null: as the weights' own, or the default weights', transforms"
    )


class TorchvisionNetworks(ModelSource[TorchvisionParameters]):
    """Torchvision's networks, known by the content of their weights."""

    VERSION = 1
    Parameters = TorchvisionParameters

    def lock(self, parameters: TorchvisionParameters) -> dict[str, Any]:
        """Build the network once; return a hash of its weights and parameters, and the config files. Raises
        ModelError."""
        found = self._known(parameters)
        return {"fingerprint": found, "files": configs(self.fetch(parameters, found), parameters.torchvision)}

    def fingerprint(self, parameters: TorchvisionParameters) -> str | None:
        """A hash of a file's content, and of what makes the network of it; None for published weights, which stay as
        they are. Raises ModelError."""
        return None if isinstance(parameters.weights, str) else self._known(parameters)

    def _known(self, parameters: TorchvisionParameters) -> str:
        weights = parameters.weights
        if isinstance(weights, Path):
            try:
                content = hashed(weights)
            except OSError as error:
                raise ModelError(f"{weights}: {error.strerror}; check the model's `weights` in the suite") from error
        else:
            content = _published(parameters.torchvision, weights).url if weights else ""
        told: Json = parameters.model_dump(mode="json", include=MAKES)
        return digest({"version": self.VERSION, "weights": content, **told}, 64)

    def fetch(self, parameters: TorchvisionParameters, fingerprint: str) -> Path:
        """Return the cache's folder of exactly that network; downloads on first use. Raises ModelError."""

        def fill(folder: Path) -> None:
            if self._known(parameters) != fingerprint:
                raise ModelError(
                    f"{parameters.torchvision}: its weights are no longer those that were locked; put them back, or "
                    "accept them with `bench lock SUITE --update`"
                )
            try:
                _write(parameters, folder)
            except ModelError as error:
                raise ModelError(f"torchvision's {parameters.torchvision}: {error}") from error

        return cached("networks", {"fingerprint": fingerprint}, fill)


def _write(parameters: TorchvisionParameters, folder: Path) -> None:
    from bench.modeling.networks.write import write

    name, weights, labels = parameters.torchvision, parameters.weights, parameters.labels
    published = _published(name, weights if isinstance(weights, str) else "DEFAULT")
    settings = _settings(published.transforms()) if parameters.input is None else processor_settings(parameters.input)
    if isinstance(weights, str):
        labels = labels or tuple(published.meta["categories"])
    arguments: Json = {"num_classes": len(labels) or 1000}
    if name.startswith("vit_"):  # its positions are of one size of image
        arguments["image_size"] = settings["crop_size"]["height"]
    write(
        folder, {"torchvision": name, "arguments": arguments}, settings, labels, seed=parameters.seed,
        weights=_download(name, published) if isinstance(weights, str) else weights,
        allow_missing=parameters.allow_missing,
    )  # fmt: skip


def _published(name: str, weights: str) -> Any:
    """Torchvision's member of its enumeration of a network's weights. Raises ModelError."""
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ModelError(f"torchvision has no classifier '{name}'{did_you_mean(name, known)}")
    if name in AUXILIARY:
        raise ModelError(
            f"torchvision's {name} has auxiliary outputs besides its own, which are not trained here; take timm's, as "
            f"{{hub: timm/{name}.tv_in1k}}"
        )
    published = models.get_model_weights(name)
    if weights not in published.__members__:
        raise ModelError(f"torchvision's {name} has weights {', '.join(published.__members__)}, and no '{weights}'")
    return published[weights]


def _download(name: str, published: Any) -> Mapping[str, Any]:
    """The weights, from torchvision's own cache of downloads. Raises ModelError."""
    from pickle import UnpicklingError

    from torchvision.models import get_model

    try:
        published.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
        found: Mapping[str, Any] = get_model(name, weights=published, progress=False).state_dict()
    except (OSError, RuntimeError, UnpicklingError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(
            f"weights {published.name} cannot be had from {published.url} ({type(error).__name__}: {said}); without a "
            "network, name a file of them in `weights`"
        ) from error
    return found


def _settings(preset: Any) -> Json:
    """`preprocessor_config.json` of torchvision's transforms for classification."""
    crop, *other = preset.crop_size
    seen = {"height": crop, "width": other[0] if other else crop}
    filters = {"nearest": 0, "bilinear": 2, "bicubic": 3}
    return {
        "image_processor_type": "NetworkImageProcessor", "do_resize": True,
        "size": {"shortest_edge": preset.resize_size[0]}, "resample": filters[preset.interpolation.value],
        "do_center_crop": True, "crop_size": seen, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": list(preset.mean), "image_std": list(preset.std), "num_channels": 3,
    }  # fmt: skip
