"""How far verdicts can be trusted, on columns whose truth is planted: a table for docs/verdict.md.

    python benchmarks/verdict.py              about a minute on one core
    python benchmarks/verdict.py --draws 20   a quick look

Accuracies on one test split: every example is right with a probability whose difficulty all regimes and seeds share in
part; each seed shifts each regime's true mean. The draws are seeded; no model is trained.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from planted import column, sweep

from bench.analysis.column import Column
from bench.analysis.verdict.crossover import Ladder, crossover
from bench.analysis.verdict.decision import Verdict, decide

Random = np.random.Generator
TOLERANCE = 0.01
NAMES = ("zero-shot", "linear-probe", "lora", "full", "retrain")


def truths(random: Random, order: bool) -> dict[str, float]:
    """Means as tables have them: some regimes near the best, within and without the tolerance, others far away. order:
    full is the best and the cheaper the worse; else any regime is in any place."""
    best = random.uniform(0.65, 0.93)
    behind = [
        random.uniform(0.05, 0.2),
        random.uniform(0, 0.06),
        random.uniform(0, 0.03),
        0.0,
        random.uniform(0.1, 0.3),
    ]
    return dict(zip(NAMES, best - np.array(behind if order else random.permutation(behind)), strict=True))


def short(truth: Mapping[str, float], name: str) -> float:
    """By how much a regime is worse than the best in truth."""
    return max(truth.values()) - truth[name]


def probabilities(draws: int, seeds: int, seed_sd: float, order: bool) -> Iterator[tuple[Verdict, Mapping[str, float]]]:
    """Verdicts on random tables, with their truth."""
    random = np.random.default_rng(seeds * 1000 + round(10_000 * seed_sd) + order)
    for _ in range(draws):
        truth = truths(random, order)
        yield decide(column(truth, random, seeds=seeds, seed_sd=seed_sd, examples=1_000, tolerance=TOLERANCE)), truth


def calibration(draws: int, order: bool) -> None:
    """What is said to be right so often, and is."""
    print("\nfull is the best, the cheaper the worse" if order else "\nany regime in any place")
    said, held, lost, regrets = [], [], [], []
    print(f"{'seeds':>5} {'seed SD':>7} {'decided':>7} {'wrong':>6} {'out, though enough':>19} {'guess right':>11}")
    for seeds in (2, 3, 5, 10):
        for seed_sd in (0.005, 0.015):
            found = list(probabilities(draws, seeds, seed_sd, order))
            decided = [(v, t) for v, t in found if v.chosen]
            wrong = sum(short(t, str(v.chosen)) > TOLERANCE for v, t in decided)
            out = sum(any(short(t, name) <= TOLERANCE for name in v.out) for v, t in found)
            right = [short(t, str(v.guess)) <= TOLERANCE for v, t in found]
            said += [v.right for v, _ in found]
            held += right
            lost += [short(t, str(v.guess)) for v, t in found if short(t, str(v.guess)) > TOLERANCE]
            regrets += [v.regret for v, t in found if short(t, str(v.guess)) > TOLERANCE]
            print(
                f"{seeds:5} {seed_sd:7.3f} {len(decided) / draws:7.2f} {wrong / draws:6.3f} {out / draws:19.3f} "
                f"{np.mean(right):11.2f}"
            )
    print("\nP(right) said, and how often it was right")
    edges = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.001)
    for low, high in itertools.pairwise(edges):
        chosen = [(p, h) for p, h in zip(said, held, strict=True) if low <= p < high]
        if chosen:
            print(f"  {low:.2f} to {min(high, 1):.2f}: said {np.mean([p for p, _ in chosen]):.2f}, was "
                  f"{np.mean([h for _, h in chosen]):.2f} ({len(chosen)} verdicts)")  # fmt: skip
    print(f"loss where wrong: said {np.nanmean(regrets):.4f}, was {np.mean(lost):.4f} ({len(lost)} verdicts)")


def ladder_truth(size: float, where: float, slope: float) -> dict[str, float]:
    """full overtakes LoRA by the tolerance at `where` labels."""
    full = 0.78 + 0.01 * math.log2(size / 125)
    return {"linear-probe": 0.7, "lora": full - TOLERANCE - slope * math.log2(size / where), "full": full}


def crossovers(draws: int) -> None:
    """How often the interval holds the truth, and how wide it is."""
    print("\ncrossover: how often its 95 % interval holds the size at which it was planted")
    sizes = (125, 500, 2_000, 8_000)
    for seeds, seed_sd in ((2, 0.005), (2, 0.015), (3, 0.005), (3, 0.015), (5, 0.01), (10, 0.01)):
        random = np.random.default_rng(77 + seeds)
        hits, closed, widths = 0, 0, []
        for _ in range(draws):
            where, slope = float(np.exp(random.uniform(np.log(180), np.log(5_600)))), random.uniform(0.004, 0.02)
            truth = {size: ladder_truth(size, where, slope) for size in sizes}
            ladder = Ladder.of(sweep(truth, random, examples=1_000, seeds=seeds, seed_sd=seed_sd))
            found = crossover(ladder, "lora", "full", TOLERANCE)
            assert found is not None
            hits += found.low <= where <= found.high
            if found.low > 0 and math.isfinite(found.high):
                closed += 1
                widths.append(found.high / found.low)
        width = f"{np.median(widths):.1f}-fold" if widths else "–"
        ends = f"both ends closed in {closed / draws:.2f}, then {width}"
        print(f"  {seeds:2} seeds, SD {seed_sd}: {hits / draws:.3f}; {ends}")


def settled(draws: int) -> None:
    """How often the reckoned number of seeds is enough."""
    print("\nseeds reckoned from 3, then run: how often the verdict is decided")
    for seed_sd in (0.008, 0.015):
        counts, enough, asked = [], 0, 0
        for draw in range(draws):
            truth = {"linear-probe": 0.7, "lora": 0.85, "full": 0.8505, "retrain": 0.6}
            few = decide(_paired(truth, draw, 3, seed_sd))
            if few.decided or few.settling is None or few.settling.seeds is None or few.settling.examples is not None:
                continue
            asked += 1
            counts.append(few.settling.seeds)
            again = decide(_paired(truth, draw, few.settling.seeds, seed_sd))
            enough += again.decided or (few.guess in again.out)
        if asked:
            print(f"  seed SD {seed_sd}: {enough / asked:.2f} of {asked} cases; {np.median(counts):.0f} seeds (median)")


def _paired(truth: Mapping[str, float], draw: int, seeds: int, seed_sd: float) -> Column:
    """The first seeds are the same however many there are: each has a generator of its own."""
    shared = np.random.default_rng(draw).random(10_000)
    each = [
        column(truth, np.random.default_rng((draw, seed)), seeds=1, seed_sd=seed_sd, hard=shared, agree=0.98)
        for seed in range(seeds)
    ]
    candidates = []
    for index, first in enumerate(each[0].candidates):
        if not first.labelled:
            candidates.append(first)
            continue
        ones = [part.candidates[index] for part in each]
        values = np.concatenate([one.values for one in ones])  # type: ignore[misc]
        candidates.append(
            replace(first, seeds=tuple(range(seeds)), scores=np.concatenate([o.scores for o in ones]), values=values)
        )
    return replace(each[0], candidates=tuple(candidates))


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="columns of each kind")
    draws = parser.parse_args().draws
    started = time.perf_counter()
    for order in (True, False):
        calibration(draws, order)
    crossovers(2 * draws)
    settled(draws)
    print(f"\n{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
