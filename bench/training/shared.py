"""Work that is done once for several whole trials, each of which is charged all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bench.contracts import Context
from bench.probes.ledger import Ledger
from bench.store.cache import cached
from bench.suite.trial import Json


def shared(context: Context, ledger: Ledger, stage: str, kind: str, key: Json, compute: Callable[[Path], Json]) -> Path:
    """A folder of the cache, filled by `compute`, which says what that took: folder → {"seconds", "notes", …}.

    Its seconds are charged in full to every trial that uses the folder, and not the time that this one took or waited
    for it; its memory is no trial's.
    """

    def fill(target: Path) -> None:
        facts = compute(target)
        context.intact()
        (target / "facts.json").write_text(json.dumps(facts))

    with ledger.uncharged():
        folder = cached(kind, key, fill)
    ledger.forget_memory()
    ledger.share(stage, json.loads((folder / "facts.json").read_text()))
    return folder
