"""How regimes look in figures: a colour and a marker each, whatever else is in the figure, the report or the suite."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Iterable
from typing import Any

KINDS = {
    "zero-shot": ("#000000", "o"),
    "few-shot": ("#7F7F7F", "p"),
    "linear-probe": ("#56B4E9", "^"),
    "head": ("#117733", "h"),
    "partial": ("#009E73", "D"),
    "lora": ("#D55E00", "v"),
    "full": ("#0072B2", "s"),
    "continued-pretraining": ("#CC79A7", "P"),
    "retrain": ("#E69F00", "X"),
}
"""Okabe & Ito's colours, told apart with any colour vision; the markers tell them apart in grey."""
OTHERS = (("#882255", "<"), ("#999933", ">"), ("#332288", "8"), ("#44AA99", "h"), ("#661100", "d"), ("#AA4499", "H"))
"""Paul Tol's, for regimes of other packages."""
VARIATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"linestyle": (0, (4, 1.5)), "fillstyle": "none"},
    {"linestyle": (0, (1, 1)), "fillstyle": "left"},
    {"linestyle": (0, (4, 1.5, 1, 1.5)), "fillstyle": "top"},
)
SHADES = (1.0, 1.45, 0.7, 1.2)
"""Of a variation, how much lighter or darker it is than its kind."""


def styles(regimes: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """{name: arguments of matplotlib's plot}. regimes: (kind, name), in any order, once or more.

    A regime that has its kind's own name looks as that kind does in every report. Further names of a kind are
    variations of it, by the alphabet.
    """
    names: dict[str, list[str]] = {}
    for kind, name in sorted(set(regimes), key=lambda pair: (pair[0], pair[0] != pair[1], pair[1])):
        names.setdefault(kind, []).append(name)
    foreign = _foreign([kind for kind in names if kind not in KINDS])
    found = {}
    for kind, own in names.items():
        colour, marker = KINDS.get(kind) or foreign[kind]
        for number, name in enumerate(own):
            turn = number % len(VARIATIONS)
            found[name] = {"color": _shade(colour, SHADES[turn]), "marker": marker, **VARIATIONS[turn]}
    return found


def _foreign(kinds: Iterable[str]) -> dict[str, tuple[str, str]]:
    """A look for each kind that this package does not know, by its name; the next one where that is taken."""
    found: dict[str, tuple[str, str]] = {}
    for kind in kinds:
        first = zlib.crc32(kind.encode("utf-8", "replace"))
        turns = [OTHERS[(first + i) % len(OTHERS)] for i in range(len(OTHERS))]
        found[kind] = next((look for look in turns if look not in found.values()), turns[0])
    return found


def _shade(colour: str, factor: float) -> str:
    """The colour, lighter (above 1) or darker."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    if factor > 1:
        light = 1 - (1 - light) / factor
    else:
        light *= factor
    return "#" + "".join(f"{round(255 * part):02X}" for part in colorsys.hls_to_rgb(hue, light, saturation))
