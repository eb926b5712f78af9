"""How numbers read in every format: `.912 ± .013`, `1.2 MB`, `12 s`."""

from __future__ import annotations

import math

NONE = "–"
_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"))


def score(value: float) -> str:
    """Three decimals, without the zero before the point."""
    if math.isnan(value):
        return NONE
    text = f"{abs(value):.3f}"
    sign = "−" if value < 0 and float(text) else ""
    return sign + text.removeprefix("0")


def percent(fraction: float) -> str:
    """A fraction as per cent."""
    return f"{100 * fraction:g} %"


def _digits(value: float) -> str:
    return f"{value:.1f}" if 0 < value < 9.95 else f"{value:.0f}"


def quantity(value: float, unit: str = "") -> str:
    """At least two digits and an SI prefix: 1234567 B is `1.2 MB`."""
    if math.isnan(value):
        return NONE
    factor, prefix = next(((f, p) for f, p in _PREFIXES if value >= 0.9995 * f), (1.0, ""))
    return f"{_digits(value / factor)} {prefix}{unit}".rstrip()


def duration(seconds: float) -> str:
    """Below two minutes in seconds with their prefixes, above in minutes or hours."""
    if seconds >= 7200:
        return f"{_digits(seconds / 3600)} h"
    return f"{_digits(seconds / 60)} min" if seconds >= 120 else quantity(seconds, "s")
