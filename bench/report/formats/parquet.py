"""The tidy frame as one Parquet file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.contracts import ReportFormat

if TYPE_CHECKING:
    import pandas as pd

    from bench.report.section import Section


class Parquet(ReportFormat):
    """Every cell with the types of its numbers, for pandas, polars, DuckDB and R."""

    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """`cells.parquet`, and `asked.parquet` where a table was asked for."""
        import pandas as pd

        frames = {"cells.parquet": [section.frame for section in sections]}
        asked = [section.asked_frame for section in sections if len(section.asked_frame)]
        if asked:
            frames["asked.parquet"] = asked
        return {name: _written(pd.concat(own, ignore_index=True)) for name, own in frames.items()}


def _written(frame: pd.DataFrame) -> bytes:
    """Sizes, which are numbers or `all`, are text. No metadata of pandas, which tells its version."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = {name for name in frame.columns if name == "size" or frame[name].dtype == object}
    worded = frame.assign(**{name: frame[name].astype(str) for name in texts})
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(worded, preserve_index=False).replace_schema_metadata(None), file)
    return file.getvalue()
