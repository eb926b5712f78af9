"""A small model pretrained here on data that needs no download: `{pretrain: {objective: masked-lm, …}}`.

It learns from the corpus's `unlabelled` split, or else from its `train` split: never from an example of a test split.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from bench.contracts import ModelSource
from bench.data_sources.builtin import BuiltinData, BuiltinParameters
from bench.errors import DataError
from bench.modeling.models.files import configs
from bench.store.cache import cached
from bench.suite.parameters import ModelParameters
from bench.suite.trial import digest
from bench.training.pretraining.recipes import Classification, MaskedLM

CORPORA = BuiltinData()


class Text(MaskedLM):
    """A recipe and the text it is for."""

    data: BuiltinParameters


class Images(Classification):
    """A recipe and the images it is for."""

    data: BuiltinParameters


class PretrainParameters(ModelParameters):
    """The recipe, which together with the corpus determines the model."""

    pretrain: Annotated[Text | Images, Field(discriminator="objective", description="on what, and how")]


class PretrainedModels(ModelSource[PretrainParameters]):
    """Models pretrained here, known by recipe and corpus."""

    VERSION = 1
    Parameters = PretrainParameters

    def lock(self, parameters: PretrainParameters) -> dict[str, Any]:
        """Pretrain, unless the cache has it, and return a hash of recipe and corpus, and the config files.

        Raises DataError, ModelError.
        """
        corpus = CORPORA.lock(parameters.pretrain.data)["fingerprint"]
        found = _fingerprint(parameters, corpus)
        folder = _kept(found, lambda folder: _pretrain(parameters.pretrain, corpus, folder))
        return {"fingerprint": found, "files": configs(folder, "pretrained here")}

    def fetch(self, parameters: PretrainParameters, fingerprint: str) -> Path:
        """Return the folder of the model; pretrains where the cache has lost it. Raises DataError, ModelError."""

        def again(folder: Path) -> None:
            corpus = CORPORA.lock(parameters.pretrain.data)["fingerprint"]
            if _fingerprint(parameters, corpus) != fingerprint:
                raise DataError(
                    f"builtin data '{parameters.pretrain.data.builtin}': this installation holds other content than "
                    "the locked model was pretrained on; `bench lock SUITE --update` takes it as it is now"
                )
            _pretrain(parameters.pretrain, corpus, folder)

        return _kept(fingerprint, again)


def _kept(fingerprint: str, fill: Any) -> Path:
    return cached("pretrained", {"fingerprint": fingerprint}, fill)


def _fingerprint(parameters: PretrainParameters, corpus: str) -> str:
    recipe = parameters.pretrain.model_dump(mode="json")
    return digest({"version": PretrainedModels.VERSION, "recipe": recipe, "corpus": corpus}, 64)


def _pretrain(recipe: Text | Images, corpus: str, folder: Path) -> None:
    from bench.training.pretraining import small_model

    splits = CORPORA.fetch(recipe.data, corpus)
    rows = splits["unlabelled" if "unlabelled" in splits else "train"]
    column = "text" if isinstance(recipe, Text) else "image"
    if column not in rows.column_names:
        raise DataError(f"builtin data '{recipe.data.builtin}' has no {column}s, which {recipe.objective} learns from")
    if isinstance(recipe, Text):
        small_model.masked_lm(recipe, list(rows["text"]), folder)
    else:
        small_model.classification(recipe, list(rows["image"]), rows["label"], rows.features["label"].names, folder)
