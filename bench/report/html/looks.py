"""How regimes look in a page: a class of colours each, the same colours and markers as in the figures for print."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.report.figure_styles import styles

LIGHTEST, DARKEST = 0.78, 0.62
"""Of a colour on a dark ground: how light the darkest becomes, and the least lightness that stays."""


@dataclass(frozen=True)
class Look:
    """A regime's class, marker, and whether that is hollow."""

    name: str
    css: str
    marker: str
    hollow: bool


def looks(regimes: Iterable[tuple[str, str]], number: int) -> tuple[dict[str, Look], str]:
    """Of each regime by its name, and the style sheet's lines for them. regimes: (kind, name); number: of the suite in
    its report, for two of them may call different things by one name."""
    found, light, dark = {}, [], []
    for index, (name, style) in enumerate(styles(regimes).items()):
        css = f"s{number}r{index}"
        found[name] = Look(name, css, str(style["marker"]), style.get("fillstyle") == "none")
        dashes = _dashes(style.get("linestyle"))
        light.append(f".{css}{{--c:{style['color']}{f';--d:{dashes}' if dashes else ''}}}")
        dark.append(f".{css}{{--c:{_on_dark(style['color'])}}}")
    lines = [*light, "@media screen and (prefers-color-scheme:dark){", *dark, "}"]
    return found, "\n".join(lines)


def _dashes(line: object) -> str:
    return " ".join(f"{1.6 * length:g}" for length in _lengths(line))


def _lengths(line: object) -> Iterator[float]:
    if isinstance(line, tuple):
        yield from line[1]


def _on_dark(colour: str) -> str:
    """The same hue, light enough to be seen on a dark ground."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    light = max(light, DARKEST) if light > 0.05 else LIGHTEST + 0.1
    return "#" + "".join(f"{round(255 * part):02X}" for part in colorsys.hls_to_rgb(hue, light, saturation))
