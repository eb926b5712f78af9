"""How long a trial waits between the decision to run it and its first line of code, beside starting a Python for each.

    python benchmarks/start.py

Runs the digits of the quickstart into a temporary folder, and compares the median `start_seconds` of its records with
the seconds a fresh interpreter takes to import what the server has imported, side by side on this machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import api

SUITE = Path(__file__).parents[1] / "suites" / "quickstart.yaml"
FRESH = "from bench.execution.local.server import _import_everything; _import_everything()"
REPEATS = 3


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        only = ["task=digits", "model=tiny-resnet", "regime=linear-probe,lora"]
        api.run(api.load_suite(SUITE), folder, only=only, devices=["cpu"], say=lambda text: None)
        records = api.attempts(folder)
    waits = sorted(records["start_seconds"])
    late = waits[int(0.95 * (len(waits) - 1))]
    print(f"start of {len(waits)} forked trials: median {statistics.median(waits):.3f} s, p95 {late:.3f} s")
    fresh = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", FRESH], check=True, capture_output=True)
        fresh.append(time.perf_counter() - begun)
    print(f"a fresh interpreter instead: median {statistics.median(fresh):.1f} s")
    print(f"ratio: {statistics.median(fresh) / statistics.median(waits):.0f}")


if __name__ == "__main__":
    main()
