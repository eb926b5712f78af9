"""How a small model is pretrained: the schemas of the recipes, apart from where their data comes from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.suite.parameters import Positive, Strict

Count = Annotated[int, Field(ge=1)]


class Recipe(Strict):
    """What every pretraining says."""

    config: dict[str, int | float | str | list[int]] = Field(
        {}, description="sizes of the architecture, by transformers' own names (hidden_size, …)"
    )
    epochs: Count
    batch_size: Count = 32
    learning_rate: Positive = 1e-3
    seed: Annotated[int, Field(ge=0)] = 0


class MaskedLM(Recipe):
    """Fill in masked tokens, with a tokenizer learnt from the same text."""

    objective: Literal["masked-lm"]
    architecture: Literal["bert"]
    vocabulary: Annotated[int, Field(ge=300)] = Field(4000, description="tokens the tokenizer knows")
    max_length: Annotated[int, Field(ge=8)] = Field(64, description="tokens; longer passages are cut")
    mask: Annotated[float, Field(gt=0, lt=1)] = Field(0.15, description="fraction of the tokens to fill in")
    embeddings: Literal["random", "lsa"] = Field(
        "random", description="what token embeddings start from; lsa: which passages tokens stand in, by SVD"
    )


class Classification(Recipe):
    """Tell the classes of a corpus apart."""

    objective: Literal["classification"]
    architecture: str = Field(description="transformers' model type: resnet, vit, mobilenet_v2, timm_wrapper, …")
    image_size: Annotated[int, Field(ge=8)] = Field(32, description="pixels a side, to which images are resized")
