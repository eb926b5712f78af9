"""A paper's supplement: one zip with the plan, the lock, the records and the report as they stand, and checksums."""

from __future__ import annotations

import hashlib
import io
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contracts import Export
from bench.errors import StoreError
from bench.printable import printable

if TYPE_CHECKING:
    from bench.analysis.results import Results

PARTS = ("plan.json", "lock.json", "audit.json", "records", "rescored", "report")
"""What of a results folder goes into it, where it is there."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: the same results give the same bytes."""
README = """\
Results of the suite {suite}, as retrain-bench {version} left them.

plan.json      every cell of the comparison, with the ids of its trials
lock.json      what every model and data set meant: commits, fingerprints, labels
records/       one JSON line for each attempt at a trial: the trial itself (model, data, regime, seed, settings,
               tuned values), its scores, costs, environment, and how it ended; failures among them
rescored/      scores by other metrics, computed later from kept predictions (where there are any)
audit.json     what the data were found to be like (where that was asked)
report/        tables and figures, made by `bench report`
SHA256SUMS     checksums: `sha256sum -c SHA256SUMS`

Predictions and training curves (`artifacts/`) are not in it: tables can be made again from the records without them,
intervals over test examples cannot. Records say where data and models lay on the machine that ran them; look through
them before you hand in what must be anonymous.
"""


class Supplement(Export):
    """A zip for a paper's supplement."""

    def export(self, results: Results, out: Path) -> list[Path]:
        """`<suite>-supplement.zip`; identical results give identical bytes. Raises StoreError."""
        from bench.store import atomic

        files = dict(_files(results.folder))
        about = README.format(suite=printable(results.name), version=version("retrain-bench"))
        files["README.txt"] = about.encode()
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
        files["SHA256SUMS"] = sums.encode()
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(f"{results.folder.resolve().name}/{name}", EPOCH), content,
                                 zipfile.ZIP_DEFLATED)  # fmt: skip
        path = out / f"{results.folder.resolve().name}-supplement.zip"
        atomic.write_bytes(path, data.getvalue())
        return [path]


def _files(folder: Path) -> list[tuple[str, bytes]]:
    """(name below the folder, content) of each file; links were refused when the results were read."""
    from bench.store import atomic, safe_reading

    found = []
    for part in PARTS:
        place = folder / part
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_dir() or any(atomic.TEMPORARY.fullmatch(piece) for piece in path.relative_to(folder).parts):
                continue
            try:
                found.append((name, safe_reading.whole(path, safe_reading.MOST_RECORDS)))
            except OSError as error:
                raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    return found
