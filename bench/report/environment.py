"""A record's environment as one line."""

from __future__ import annotations

from bench.store.record import Environment
from bench.suite.trial import Json

FIRST = ("torch", "transformers")
"""Those packages that matter most to a result stand before the others."""


def line(environment: Environment) -> str:
    """`CPU, 1 thread, fp32, AMD EPYC, Python 3.11.7, torch 2.15.0, …`; what is unknown is left out."""
    known: Json = {**environment}
    known.pop("id", None)
    threads, packages = known.pop("threads", None), known.pop("packages", None) or {}
    device = known.pop("device", None)
    parts = [
        "CPU" if device == "cpu" else device,
        threads and f"{threads} thread{'s' * (threads != 1)}",
        known.pop("precision", None),
        known.pop("processor", None),
        known.pop("platform", None),
        *(version and f"{name} {version}" for name, version in (("Python", known.pop("python", None)),)),
        *(f"{name} {value}" for name, value in sorted(known.items()) if value is not None),
        *(
            f"{name} {packages[name]}"
            for name in sorted(packages, key=lambda name: (name not in FIRST, name))
            if packages[name]
        ),
    ]
    return ", ".join(str(part) for part in parts if part)
