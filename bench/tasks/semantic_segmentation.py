"""A class for every pixel of an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from bench.contracts import TaskKind
from bench.data.column_kinds import Fit, Table
from bench.data.examples import Examples, rarest
from bench.data.row_problems import Problems
from bench.errors import DataError
from bench.suite.parameters import ImageTaskParameters

if TYPE_CHECKING:
    from bench.modeling.encoding.masked_pixels import MaskedPixels

PRESENT = 0.01
"""The share of an image's pixels from which on subsets are stratified by a class."""
CALLED = ("mask", "annotation", "segmentation", "segmentation_mask", "label", "labels", "ground_truth", "gt", "target")
"""What columns of masks are called."""
LOOK = 100
"""Masks in which `bench init` looks for classes."""


class SemanticSegmentationParameters(ImageTaskParameters):
    """What the numbers in a mask mean."""

    labels: tuple[str, ...] | dict[str, str] = Field(
        (), description="the classes' words in the order of their numbers, or {number in the masks: word}"
    )
    label_map: dict[str, str] = Field({}, description="{label of the model's own head: label of the task}")
    ignore: tuple[Annotated[int, Field(ge=0, lt=1 << 16)], ...] = Field(
        (255,), description="numbers of pixels that nobody labelled: they are not learnt and not scored"
    )
    reduce_labels: bool = Field(False, description="0 stands for no label, and the classes are numbered from 1")
    size: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] | None = Field(
        None, description="height and width that images are resized to; null: as the model's image processor does"
    )

    @field_validator("labels")
    @classmethod
    def _numbered(cls, labels: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
        words = list(labels.values()) if isinstance(labels, dict) else list(labels)
        if words and not (2 <= len(words) <= 255 and len(set(words)) == len(words)):
            raise ValueError("2 to 255 labels, no two alike")
        if not isinstance(labels, dict):
            return labels
        if odd := [key for key in labels if not key.isdecimal() or int(key) >= 1 << 16]:
            raise ValueError(f"'{odd[0]}' is no number that a mask can hold; give {{number: word}}, or a list")
        return dict(sorted(labels.items(), key=lambda item: int(item[0])))

    def words(self) -> list[str]:
        """The classes' words, in their order."""
        return list(self.labels.values()) if isinstance(self.labels, dict) else list(self.labels)

    def own_label_map(self) -> Mapping[str, str]:
        """{label of the model's own head: label of the task}."""
        return self.label_map

    def classes(self) -> dict[int, int]:
        """{number in the masks: class}."""
        first = int(self.reduce_labels)
        numbers = map(int, self.labels) if isinstance(self.labels, dict) else range(first, first + len(self.labels))
        return {number: place for place, number in enumerate(numbers)}

    def ignored(self) -> set[int]:
        """Numbers in the masks of pixels without a label."""
        return {*self.ignore, *((0,) if self.reduce_labels else ())} - self.classes().keys()


class SemanticSegmentation(TaskKind[SemanticSegmentationParameters]):
    """One class a pixel."""

    Parameters = SemanticSegmentationParameters
    VERSION = 1
    MODALITY = "image"
    OBJECTIVE = "masks"
    METRIC = "mean-iou"
    AUGMENTED = ("none", "flip")
    COLUMNS = {"image": True, "mask": True}

    def recognise(self, table: Table) -> Fit | None:
        """Two columns of images, one of them called as masks are and without colours."""
        images = table.of("images")
        mask = table.label if table.label in images else table.called(CALLED, images)
        image = table.text or next((name for name in images if name != mask), None)
        if mask is None or image not in images or image == mask:
            return None
        try:
            found = _found(_pictures(table.data, mask, table.source), range(min(LOOK, len(table.data))))
        except DataError:
            return None
        names = _named(found - {255})
        if len(names) < 2:
            return None
        because = f"'{image}' and '{mask}' hold images, the latter of {len(names)} numbers"
        return Fit(
            {"image": image, "mask": mask}, 0.95, because, "nvidia/segformer-b0-finetuned-ade-512-512",
            {"labels": names},
        )  # fmt: skip

    def label_words(
        self, dataset: Any, columns: Mapping[str, str], parameters: SemanticSegmentationParameters, place: str
    ) -> list[str]:
        """The classes' words from the suite, or their numbers: from 0 to the highest in the masks. Raises DataError."""
        if parameters.labels:
            return parameters.words()
        found = _found(_pictures(dataset, columns["mask"], place), range(len(dataset))) - parameters.ignored()
        words = _named({number - parameters.reduce_labels for number in found})
        if not 2 <= len(words) <= 255:
            raise DataError(
                f"{place}: the masks in column '{columns['mask']}' hold {len(found)} numbers up to "
                f"{max(found, default=0)}, and classes are 2 to 255; list them under labels as {{number: word}}"
            )
        return words

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: SemanticSegmentationParameters, place: str
    ) -> Examples:
        """Images and masks, decoded when asked for; subsets are stratified by the rarest class an image shows.

        Raises DataError naming the rows whose masks are of another size than their images, or hold what is no class.
        """
        from bench.data.input_noise import spoilt
        from bench.data.masks import Masks, numbers

        images, masks = (_pictures(dataset, columns[role], place) for role in ("image", "mask"))
        found = Masks(masks, parameters.classes(), parameters.ignored())
        problems, shown = Problems(place), []
        for row in range(len(dataset)):
            mask, size = masks.decoded(row), images[row].size
            if mask.size != size:
                said = f"the mask is {_size(mask.size)} pixels and the image {_size(size)}; give the image its own mask"
                problems.add(row, columns["mask"], said, "size")
                continue
            try:
                classes, counts = np.unique(found.meant(numbers(mask)), return_counts=True)
            except DataError as error:
                problems.add(row, columns["mask"], str(error))
                continue
            shown.append(
                {c for c, n in zip(classes.tolist(), counts, strict=True) if n > PRESENT * mask.size[0] * mask.size[1]}
                - {255}
            )
        problems.check()
        return Examples(spoilt(images, parameters.input_noise), rarest(shown), found)

    def encode(
        self, folder: Path, examples: Examples, parameters: SemanticSegmentationParameters, target: Path
    ) -> None:
        """Resize the images with the model's image processor and keep them in `target`, with the masks as they are."""
        from bench.modeling.encoding import masked_pixels

        masked_pixels.encode(folder, examples, len(parameters.words()), parameters.size, target)

    def load(self, folder: Path) -> MaskedPixels:
        """What `encode` kept."""
        from bench.modeling.encoding import masked_pixels

        return masked_pixels.load(folder)


def _pictures(dataset: Any, column: str, place: str) -> Any:
    """A column of images. Raises DataError where it holds none."""
    import datasets

    from bench.data.images import Pictures

    if not isinstance(dataset.features[column], datasets.Image):
        raise DataError(
            f"{place}: column '{column}' holds {dataset.features[column]}, not images; name another under columns"
        )
    return Pictures(dataset, column, place)


def _found(masks: Any, rows: range) -> set[int]:
    """The numbers in these masks. Raises DataError."""
    from bench.data.masks import numbers

    return {int(value) for row in rows for value in np.unique(numbers(masks.decoded(row)))}


def _named(numbers: set[int]) -> list[str]:
    return [f"class {number}" for number in range(max(numbers, default=-1) + 1)]


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
