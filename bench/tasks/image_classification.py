"""One label out of several for an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts import TaskKind
from bench.data.column_kinds import Fit, Table
from bench.data.examples import Examples, Labelled, class_words, labels_of
from bench.errors import DataError
from bench.suite.parameters import ImageTaskParameters

if TYPE_CHECKING:
    from bench.modeling.encoding.arrays import Pixels


class ImageLabelled(Labelled, ImageTaskParameters):
    """What every classification takes, and every task on images."""


class ImageClassification(TaskKind[ImageLabelled]):
    """One class an image."""

    Parameters = ImageLabelled
    VERSION = 3
    MODALITY = "image"
    OBJECTIVE = "classes"
    METRIC = "accuracy"
    AUGMENTED = ("none", "flip", "crop", "randaugment")
    COLUMNS = {"image": True, "label": True}

    def recognise(self, table: Table) -> Fit | None:
        """Images, and a column of few values."""
        images = table.of("images")
        image = table.text if table.text in images else next(iter(images), None)
        label = table.classes(but=images) if image is not None and table.text in (None, image) else None
        if image is None or label is None:
            return None
        because = f"'{image}' holds images, '{label}' {table.distinct(label)} different values"
        own = {"labels": table.words(label)}
        return Fit({"image": image, "label": label}, 0.9, because, "openai/clip-vit-base-patch32", own, asks=True)

    def label_words(self, dataset: Any, columns: Mapping[str, str], parameters: ImageLabelled, place: str) -> list[str]:
        """The classes' words, from the suite or the data. Raises DataError."""
        return class_words(dataset, columns["label"], parameters, place)

    def examples(self, dataset: Any, columns: Mapping[str, str], parameters: ImageLabelled, place: str) -> Examples:
        """The data set's images, decoded when asked for, and classes. Raises DataError."""
        import datasets

        from bench.data.images import Pictures
        from bench.data.input_noise import spoilt

        feature = dataset.features[columns["image"]]
        if not isinstance(feature, datasets.Image):
            raise DataError(
                f"{place}: column '{columns['image']}' holds {feature}, not images; name another under columns"
            )
        images = spoilt(Pictures(dataset, columns["image"], place), parameters.input_noise)
        return Examples(images, labels_of(dataset, columns["label"], parameters, place))

    def encode(self, folder: Path, examples: Examples, parameters: ImageLabelled, target: Path) -> None:
        """Resize and crop with the model's image processor and keep the result in `target`."""
        from bench.modeling.encoding import pixels as images

        images.resize(folder, examples.inputs, target)

    def load(self, folder: Path) -> Pixels:
        """What `encode` kept."""
        from bench.modeling.encoding import pixels as images

        return images.load(folder)
