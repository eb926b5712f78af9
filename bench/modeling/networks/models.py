"""A network as two models of transformers: bare, without its last linear layer, and whole, with it as a head."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput

from bench.errors import ModelError
from bench.modeling.networks.build import build, keep_buffers, set_dropout

TYPE = "retrain-bench-network"


class NetworkConfig(PretrainedConfig):  # type: ignore[misc,unused-ignore]
    """recipe: what `build` takes. last: the name of the linear layer whose outputs are the network's. image_size:
    height and width. dropout: of all the network's dropouts; below 0: as the network has them."""

    model_type = TYPE

    def __init__(
        self, recipe: dict[str, Any] | None = None, last: str = "", image_size: Any = None, num_channels: int = 3,
        dropout: float = -1.0, **more: Any,
    ) -> None:  # fmt: skip
        self.recipe, self.last, self.image_size = recipe or {}, last, image_size
        self.num_channels, self.dropout = num_channels, dropout
        super().__init__(**more)


class _Network(PreTrainedModel):  # type: ignore[misc,unused-ignore]
    config_class = NetworkConfig
    base_model_prefix = "network"
    main_input_name = "pixel_values"
    _no_split_modules: list[str] = []

    def init_weights(self) -> None:
        """Nothing: weights stay as the network's author drew them."""

    def _init_weights(self, module: nn.Module) -> None:
        pass


class NetworkModel(_Network):
    """The network without its last linear layer, which is held by nobody then: what that is given is its features."""

    def __init__(self, config: NetworkConfig, net: nn.Module | None = None) -> None:
        super().__init__(config)
        self.net = parts(config)[0] if net is None else net
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> Any:
        """`pooler_output`, [n, width]."""
        found = self.net(pixel_values)
        if not isinstance(found, Tensor):
            raise ModelError(f"the network returns {type(found).__name__} where it trains, and not logits alone")
        return BaseModelOutputWithPooling(pooler_output=found)


class NetworkForImageClassification(_Network):
    """The whole network."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        net, self.head = parts(config)
        self.network = NetworkModel(config, net)
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> Any:
        """`logits`, [n, labels]."""
        return ImageClassifierOutput(logits=self.head(self.network(pixel_values).pooler_output))


def parts(config: NetworkConfig) -> tuple[nn.Module, nn.Linear]:
    """The network without its last linear layer, and that layer. Raises ModelError."""
    with torch.device("cpu"):  # what a network computes when it is built, no file holds: it must be real
        network = build(config.recipe)
    keep_buffers(network)
    if config.dropout >= 0:
        set_dropout(network, config.dropout)
    return without(network, config.last)


def without(network: nn.Module, last: str) -> tuple[nn.Module, nn.Linear]:
    """The network with a linear layer taken out of it, and that layer."""
    head = network.get_submodule(last)
    assert isinstance(head, nn.Linear)
    network.set_submodule(last, nn.Identity())
    return network, head


@functools.cache
def register() -> None:
    """Have transformers' auto classes load them, in this process."""
    AutoConfig.register(TYPE, NetworkConfig)
    AutoModel.register(NetworkConfig, NetworkModel)
    AutoModelForImageClassification.register(NetworkConfig, NetworkForImageClassification)
