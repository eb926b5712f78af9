"""One chart as SVG: axes, lines with their intervals, and points that lead to what they stand for.

Nothing in it carries a style of its own: classes do, so that a strict Content-Security-Policy holds and a page can be
light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.printable import printable

WIDTH, HEIGHT = 360, 236
"""Of a chart, in units of its own; the page scales it."""
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 36
TICKS = 5
"""About as many on the axis of scores."""
CROWDED = 34
"""Units between ticks below which every second one goes without its text."""
APART = 1.8
"""Units by which the points of one x stand apart, for their intervals to be seen."""
ROOM = 0.06
"""Part of an axis left free at its ends."""


@dataclass(frozen=True)
class Point:
    """NaN as an end: no interval. about: what it stands for, in words; href: where it leads, or empty."""

    x: float
    y: float
    low: float = math.nan
    high: float = math.nan
    about: str = ""
    href: str = ""


@dataclass(frozen=True)
class Series:
    """Points that belong together. look: the class of its colour; marker: one of `MARKERS`, or empty; level: one value
    that holds all along the axis."""

    look: str
    points: Sequence[Point]
    marker: str = "o"
    hollow: bool = False
    joined: bool = True
    level: bool = False


@dataclass(frozen=True)
class Chart:
    """What is drawn. ticks: of the x axis, with their texts; log: of a logarithmic x axis; zero:
    0 is on the axis of scores; apart: points of one x stand beside each other."""

    title: str
    x: str
    y: str
    ticks: Sequence[tuple[float, str]]
    series: Sequence[Series]
    log: bool = False
    zero: bool = False
    apart: bool = False


MARKERS = {
    "o": "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0Z",
    "s": "M-2.9-2.9H2.9V2.9H-2.9Z",
    "^": "M0-3.7L3.5 2.6H-3.5Z",
    "v": "M0 3.7L3.5-2.6H-3.5Z",
    "<": "M-3.7 0L2.6-3.5V3.5Z",
    ">": "M3.7 0L-2.6-3.5V3.5Z",
    "D": "M0-4L4 0L0 4L-4 0Z",
    "d": "M0-4.2L2.7 0L0 4.2L-2.7 0Z",
    "p": "M0-3.7L3.5-1.1L2.2 3H-2.2L-3.5-1.1Z",
    "h": "M0-3.7L3.2-1.8V1.8L0 3.7L-3.2 1.8V-1.8Z",
    "H": "M-3.7 0L-1.8-3.2H1.8L3.7 0L1.8 3.2H-1.8Z",
    "8": "M-1.4-3.4H1.4L3.4-1.4V1.4L1.4 3.4H-1.4L-3.4 1.4V-1.4Z",
    "P": "M-1.3-3.7H1.3V-1.3H3.7V1.3H1.3V3.7H-1.3V1.3H-3.7V-1.3H-1.3Z",
    "X": "M-3.5-1.8L-1.8-3.5L0-1.7L1.8-3.5L3.5-1.8L1.7 0L3.5 1.8L1.8 3.5L0 1.7L-1.8 3.5L-3.5 1.8L-1.7 0Z",
}
"""Outlines about the origin, by the names that matplotlib has for them."""


class _Axis:
    """Values → units along one side of a chart."""

    def __init__(self, values: Sequence[float], start: float, end: float, log: bool = False) -> None:
        self._log = log
        known = [self._on(v) for v in values if math.isfinite(v)] or [0.0, 1.0]
        low, high = min(known), max(known)
        spare = (high - low) * ROOM or (abs(high) * 0.1 or 0.5)
        self._low, self._high, self._start, self._end = low - spare, high + spare, start, end

    def _on(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self._log else value

    def __call__(self, value: float) -> float:
        return self._start + (self._on(value) - self._low) / (self._high - self._low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Round values within the axis."""
        step = (self._high - self._low) / TICKS
        unit = 10.0 ** math.floor(math.log10(step))
        step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= step * 0.999)
        first = math.ceil(self._low / step)
        return [i * step for i in range(first, first + 3 * TICKS) if i * step <= self._high]


def marker(name: str, hollow: bool = False) -> Markup:
    """A marker at the origin."""
    return Markup('<path class="{}" d="{}"/>').format("k o" if hollow else "k", MARKERS.get(name, MARKERS["o"]))


def svg(chart: Chart) -> Markup:
    """The chart; to a reader of the page's code a group with its title and links."""
    return Markup('<svg viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, printable(chart.title), Markup("").join(_parts(chart))
    )


def number(value: float) -> str:
    """A value of an axis: `.25`, `1e-05`."""
    text = f"{value:.4g}".replace("-", "−") if abs(value) >= 1e-3 or not value else f"{value:.0e}"
    return text.replace("0.", ".", 1) if text.lstrip("−").startswith("0.") else text


def _parts(chart: Chart) -> Iterator[Markup]:
    points = [p for one in chart.series for p in one.points]
    x = _Axis(
        [*(p.x for one in chart.series if not one.level for p in one.points), *(value for value, _ in chart.ticks)],
        LEFT,
        WIDTH - RIGHT,
        chart.log,
    )
    ends = [v for p in points for v in (p.y, p.low, p.high)]
    y = _Axis([*ends, 0.0] if chart.zero else ends, HEIGHT - BOTTOM, TOP)
    yield from _frame(chart, x, y)
    lines = [one for one in chart.series if not one.level]
    for one in chart.series:
        yield Markup('<g class="{}">').format(one.look)
        aside = APART * (lines.index(one) - (len(lines) - 1) / 2) if chart.apart and not one.level else 0.0
        yield from _level(one, y) if one.level else _line(one, x, y, aside)
        yield Markup("</g>")


def _frame(chart: Chart, x: _Axis, y: _Axis) -> Iterator[Markup]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in y.ticks():
        height = _n(y(value))
        yield Markup('<path class="g" d="M{} {}H{}"/>').format(LEFT, height, right)
        yield Markup('<text class="e" x="{}" y="{}" dy=".35em">{}</text>').format(LEFT - 5, height, number(value))
    yield Markup('<path class="a" d="M{} {}H{}"/>').format(LEFT, bottom, right)
    last = -math.inf
    for value, text in chart.ticks:
        at = x(value)
        yield Markup('<path class="a" d="M{} {}v4"/>').format(_n(at), bottom)
        if at - last >= CROWDED:
            yield Markup('<text class="m" x="{}" y="{}">{}</text>').format(_n(at), bottom + 14, printable(text))
            last = at
    middle = _n((LEFT + right) / 2)
    yield Markup('<text class="m" x="{}" y="{}">{}</text>').format(middle, HEIGHT - 6, printable(chart.x))
    turn = f"rotate(-90 9 {_n((TOP + bottom) / 2)})"
    yield Markup('<text class="m" x="9" y="{}" transform="{}">{}</text>').format(
        _n((TOP + bottom) / 2), turn, printable(chart.y)
    )


def _level(one: Series, y: _Axis) -> Iterator[Markup]:
    """A score that depends on nothing along the axis: a line across."""
    point = one.points[0]
    right = WIDTH - RIGHT
    if math.isfinite(point.low) and math.isfinite(point.high):
        top, bottom = y(point.high), y(point.low)
        yield Markup('<path class="b" d="M{} {}H{}V{}H{}Z"/>').format(LEFT, _n(top), right, _n(bottom), LEFT)
    line = Markup('<path class="l d" d="M{} {}H{}"/>').format(LEFT, _n(y(point.y)), right)
    yield _linked(point, line + _marked(one, right - 6, y(point.y)))


def _line(one: Series, x: _Axis, y: _Axis, aside: float) -> Iterator[Markup]:
    drawn = [(p, x(p.x) + aside) for p in one.points if math.isfinite(p.y)]
    if one.joined and len(drawn) > 1:
        banded = [(p, at) for p, at in drawn if math.isfinite(p.low) and math.isfinite(p.high)]
        if len(banded) > 1:
            there = "L".join(f"{_n(at)} {_n(y(p.high))}" for p, at in banded)
            back = "L".join(f"{_n(at)} {_n(y(p.low))}" for p, at in reversed(banded))
            yield Markup('<path class="b" d="M{}L{}Z"/>').format(there, back)
        yield Markup('<path class="l" d="M{}"/>').format("L".join(f"{_n(at)} {_n(y(p.y))}" for p, at in drawn))
    for point, at in drawn if one.marker else ():
        ends = Markup("")
        if math.isfinite(point.low) and math.isfinite(point.high):
            ends = Markup('<path class="i" d="M{} {}V{}"/>').format(_n(at), _n(y(point.low)), _n(y(point.high)))
        yield _linked(point, ends + _marked(one, at, y(point.y)))


def _marked(one: Series, x: float, y: float) -> Markup:
    if not one.marker:
        return Markup("")
    return Markup('<g transform="translate({} {})">{}</g>').format(_n(x), _n(y), marker(one.marker, one.hollow))


def _linked(point: Point, drawn: Markup) -> Markup:
    about = printable(point.about)
    if not about:
        return drawn
    told = Markup("<title>{}</title>{}").format(about, drawn)
    if not point.href:
        return Markup("<g>{}</g>").format(told)
    return Markup('<a href="{}" aria-label="{}">{}</a>').format(point.href, about, told)


def _n(value: float) -> str:
    """A coordinate to a tenth of a unit, which no screen shows."""
    return f"{value:.1f}".removesuffix(".0")
