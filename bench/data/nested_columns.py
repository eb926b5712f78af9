"""Columns inside columns: `translation.en` is what the struct column `translation` holds under `en`."""

from __future__ import annotations

from typing import Any

from bench.errors import DataError


def opened(dataset: Any, role: str, column: str, place: str) -> Any:
    """The data set with `column` as one of its own; a column of that very name is left as it is.

    Raises DataError naming what there is.
    """
    import datasets

    if column in dataset.column_names:
        return dataset
    outer = max((c for c in dataset.column_names if column.startswith(f"{c}.")), key=len, default=None)
    if outer is None:
        known = ", ".join(name if name == name.strip() else repr(name) for name in dataset.column_names)
        raise DataError(
            f"{place}: no column '{column}'; it has {known}; say which under columns (columns: {{{role}: …}})"
        )
    inner = column.removeprefix(f"{outer}.")
    flat = dataset.select_columns([outer]).flatten(max_depth=inner.count(".") + 2)
    if column not in flat.column_names:
        known = ", ".join(name.removeprefix(f"{outer}.") for name in flat.column_names if name != outer)
        raise DataError(
            f"{place}: column '{outer}' holds no '{inner}'; "
            + (f"it holds {known}" if known else f"it holds {dataset.features[outer]}, nothing that has a name")
            + f"; say which under columns (columns: {{{role}: {outer}.…}})"
        )
    return datasets.concatenate_datasets([dataset, flat.select_columns([column])], axis=1)
