"""How long `bench plan SUITE` and `bench --help` take, and what they import: `python benchmarks/plan.py SUITE`.

Prints the median of a few runs, each in a process of its own; fails above a second.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 7
MOST_SECONDS = 1.0


def seconds(*arguments: str) -> float:
    """The median wall-clock seconds of a command."""
    command = [sys.executable, "-c", "from bench.cli import main; main(prog_name='bench')", *arguments]
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


if __name__ == "__main__":
    slow = False
    for arguments in (["--help"], ["plan", *sys.argv[1:]]):
        found = seconds(*arguments)
        slow |= found > MOST_SECONDS
        print(f"bench {' '.join(arguments)}: {found:.2f} s")
    sys.exit(slow)
