"""What `bench audit` found of a suite's data, as far as a report tells of it."""

from __future__ import annotations

from bench.analysis.results import Results
from bench.errors import StoreError
from bench.store import paths, schema_version
from bench.suite.trial import Json


def audits_of(results: Results) -> dict[str, Json]:
    """By task; empty where nobody has looked, or where the file is not whole."""
    try:
        found = schema_version.read(paths.audit(results.folder))["tasks"]
        return {str(one["task"]): one for one in found}
    except (OSError, ValueError, KeyError, TypeError, StoreError):
        return {}
