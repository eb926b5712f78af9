"""How often the intervals of `bench.analysis` hold the truth, and how often the best of several is left out.

Scores are simulated whose true mean is known: seven regimes, S seeds and N test examples, crossed. An example has a
difficulty that seeds share in part, and regimes too; a seed shifts its regime's mean. Each metric gets its
pseudo-values as a trial's predictions would.

    python benchmarks/coverage.py             # a table in Markdown, a few minutes on one core
    python benchmarks/coverage.py --draws 40  # a quick look
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bench import plugins
from bench.analysis.column import Candidate, Column
from bench.trial.pseudo_values import pseudo_values

Floats = NDArray[np.float64]
REGIMES = 7
SEEDS = (2, 3, 5, 10)
SEED_SDS = (0.0, 0.015, 0.05)


class Kind(NamedTuple):
    """A metric. range: the score's; values: of how easy examples are, [regimes, S, N], and what of that is a seed's,
    [regimes, S, 1], the pseudo-values of answers that are drawn at random, [regimes, S, N]."""

    range: tuple[float, float]
    values: Callable[[Floats, Floats, np.random.Generator], Floats]


def _of_sums(sums: Callable[[Floats, np.random.Generator], Floats], of: Callable[[Floats], Floats]) -> Any:
    """The pseudo-values of a function of sums, as `bench.contracts.SumsMetric` has them."""

    def values(latent: Floats, shift: Floats, random: np.random.Generator) -> Floats:
        each = sums(latent, random)
        totals = each.sum(axis=-2, keepdims=True)
        without = of(totals - each)
        found: Floats = of(totals) + (latent.shape[-1] - 1) * (without.mean(axis=-1, keepdims=True) - without)
        return found

    return values


def _accuracy(latent: Floats, random: np.random.Generator) -> Floats:
    return np.stack([latent > 0, np.ones_like(latent)], axis=-1).astype(float)


def _mean(totals: Floats) -> Floats:
    return totals[..., 0] / totals[..., 1]


def _f1(latent: Floats, random: np.random.Generator) -> Floats:
    """Entities: some are found, some are made up."""
    chance = ndtr(latent)
    there = np.broadcast_to(random.poisson(1.5, latent.shape[-1]), latent.shape)
    hit = random.binomial(there, chance)
    made = random.poisson(0.6 * (1 - chance))
    return np.stack([hit, there + hit + made], axis=-1).astype(float)


def _bleu(latent: Floats, random: np.random.Generator) -> Floats:
    """Sentences of 8 to some 40 words, an n-gram right with a chance that falls with n."""
    words = 8 + random.poisson(14, latent.shape[-1])
    own = np.maximum(words + random.integers(-3, 3, latent.shape), 4)
    chance = ndtr(latent)
    every = np.stack([own - n for n in range(4)], axis=-1)
    right = random.binomial(every, np.stack([chance ** (0.6 + 0.8 * n) for n in range(4)], axis=-1))
    lengths = np.stack([own, np.broadcast_to(words, own.shape)], axis=-1)
    return np.concatenate([lengths, right, every], axis=-1).astype(float)


def _iou(latent: Floats, random: np.random.Generator) -> Floats:
    """Six classes, of which an image shows two or three; intersections and unions in pixels."""
    shown = random.random((latent.shape[-1], 6)) < np.array([0.9, 0.6, 0.4, 0.3, 0.2, 0.15])
    size = random.gamma(2.0, 50.0, shown.shape) * shown
    chance = ndtr(latent)[..., None]
    hit = size * np.clip(chance + 0.15 * random.standard_normal((*latent.shape, 6)), 0, 1)
    wrong = size * (1 - chance) * random.random((*latent.shape, 6))
    return np.concatenate([hit, size + wrong], axis=-1)


def _mean_iou(totals: Floats) -> Floats:
    hit, union = np.split(totals, 2, axis=-1)
    found: Floats = (hit / np.maximum(union, 1e-9)).mean(axis=-1)
    return found


def _wer(latent: Floats, random: np.random.Generator) -> Floats:
    """Utterances of 3 to some 30 words."""
    words = np.broadcast_to(3 + random.poisson(9, latent.shape[-1]), latent.shape)
    return np.stack([random.binomial(words, ndtr(-latent)) + random.poisson(0.1, latent.shape), words], -1).astype(
        float
    )


def _spearman(latent: Floats, shift: Floats, random: np.random.Generator) -> Floats:
    """Numbers whose slope on the right ones changes with the seed."""
    right = random.standard_normal(latent.shape[-1])
    answers = (1.3 + shift) * right + 0.7 * (latent - shift)
    metric = plugins.load("metrics", "spearman")
    return np.stack([[pseudo_values(metric, right, one).values for one in regime] for regime in answers])


KINDS = {
    "accuracy": Kind((0.0, 1.0), _of_sums(_accuracy, _mean)),
    "entity F1": Kind((0.0, 1.0), _of_sums(_f1, plugins.load("metrics", "entity-f1").of)),
    "BLEU": Kind((0.0, 100.0), _of_sums(_bleu, plugins.load("metrics", "bleu").of)),
    "mean IoU": Kind((0.0, 1.0), _of_sums(_iou, _mean_iou)),
    "WER": Kind((0.0, math.inf), _of_sums(_wer, _mean)),
    "Spearman": Kind((-1.0, 1.0), _spearman),
}


class Setting(NamedTuple):
    """One point of the grid. level: the accuracy that the latent difficulties stand for; seed_sd: of a seed's score, as
    of an accuracy; spread: whether that goes from 0 to twice that over the regimes; overlap: the part of a seed's
    difference that it shares with the others, for all draw their labels from one pool."""

    kind: str
    level: float
    examples: int
    seeds: int
    seed_sd: float
    regimes: int = REGIMES
    spread: bool = False
    overlap: float = 0.0


def latents(setting: Setting, random: np.random.Generator) -> tuple[Floats, Floats]:
    """[regimes, S, N], above 0 with the chance `level`: what all regimes share, what a regime's seeds do, the rest; and
    what of it is a seed's, [regimes, S, 1]."""
    z, regimes = ndtri(setting.level), setting.regimes
    sd = setting.seed_sd / (math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))
    each = sd * (np.linspace(0, 2, regimes) if setting.spread else np.ones(regimes))[:, None, None]
    hard = math.sqrt(0.4) * random.standard_normal(setting.examples)
    own = math.sqrt(0.3) * random.standard_normal((regimes, 1, setting.examples))
    rest = math.sqrt(0.3) * random.standard_normal((regimes, setting.seeds, setting.examples))
    shared = math.sqrt(setting.overlap) * random.standard_normal((regimes, 1, 1))
    alone = math.sqrt(1 - setting.overlap) * random.standard_normal((regimes, setting.seeds, 1))
    shift: Floats = each * (shared + alone)
    return z * np.sqrt(1 + each**2) + shift + hard + own + rest, shift


@functools.cache
def truth(setting: Setting) -> float:
    """The mean over seeds of the score on very many examples, whatever the setting has of both."""
    if setting.kind == "accuracy":
        return setting.level
    many, random = setting._replace(examples=2_000, seeds=8, regimes=1), np.random.default_rng(7)
    return float(np.mean([KINDS[setting.kind].values(*latents(many, random), random).mean() for _ in range(80)]))


def column(setting: Setting, random: np.random.Generator) -> Column:
    """A column of a report on regimes that are equal, but for their seeds where those differ."""
    kind = KINDS[setting.kind]
    values = kind.values(*latents(setting, random), random)
    seeds, examples = tuple(range(setting.seeds)), np.arange(setting.examples)
    found = (
        Candidate(f"r{k}", "full", True, seeds, one.mean(axis=-1), one, examples, overlap=setting.overlap)
        for k, one in enumerate(values)
    )
    return Column("s", "t", "m", 64, 0.0, "e", "x", False, kind.range, 0.01, tuple(found), {})


class Found(NamedTuple):
    """What came out. held: the part of intervals of means that hold the truth; pairs: of differences; half: the median
    half-width of a mean's; first, some: the part of columns in which one certain regime, or any, may not be best."""

    held: float
    pairs: float
    half: float
    first: float
    some: float


def measured(setting: Setting, draws: int, seed: int) -> Found:
    """Coverage over some draws; over more where a column has fewer regimes, so that as many means are counted."""
    draws = draws * REGIMES // setting.regimes
    random = np.random.default_rng(seed)
    true = truth(setting._replace(seeds=0, examples=0, overlap=0.0))
    held, halves, pairs, left = [], [], [], []
    for _ in range(draws):
        one = column(setting, random)
        for name in one.names:
            interval = one.interval(name)
            held.append(interval.low <= true <= interval.high)
            halves.append((interval.high - interval.low) / 2)
        for a, b in itertools.combinations(one.names, 2):
            difference = one.difference(a, b)
            assert difference is not None
            pairs.append(difference.low <= 0 <= difference.high)
        left.append(one.could_be_best())
    of = [float(np.mean(x)) if x else math.nan for x in (held, pairs)]  # one regime has no pair
    some = [len(names) < setting.regimes for names in left]
    first = ["r0" not in names for names in left]
    return Found(*of, float(np.median(halves)), *map(float, map(np.mean, (first, some))))


ROWS: dict[str, Setting] = {
    "accuracy .6, N = 300": Setting("accuracy", 0.6, 300, 0, 0),
    "accuracy .8, N = 500": Setting("accuracy", 0.8, 500, 0, 0),
    "accuracy .8, N = 2,000": Setting("accuracy", 0.8, 2_000, 0, 0),
    "accuracy .95, N = 300": Setting("accuracy", 0.95, 300, 0, 0),
    "accuracy .99, N = 300": Setting("accuracy", 0.99, 300, 0, 0),
    "accuracy .99, N = 90": Setting("accuracy", 0.99, 90, 0, 0),
    "entity F1, N = 500": Setting("entity F1", 0.8, 500, 0, 0),
    "BLEU, N = 300": Setting("BLEU", 0.8, 300, 0, 0),
    "BLEU, N = 300, two regimes": Setting("BLEU", 0.8, 300, 0, 0, regimes=2),
    "mean IoU, N = 300": Setting("mean IoU", 0.8, 300, 0, 0),
    "WER, N = 500": Setting("WER", 0.85, 500, 0, 0),
    "Spearman, N = 500": Setting("Spearman", 0.8, 500, 0, 0),
    "accuracy .8, N = 500, seeds of regimes vary unlike": Setting("accuracy", 0.8, 500, 0, 0, spread=True),
    "accuracy .8, N = 500, half of the labels shared": Setting("accuracy", 0.8, 500, 0, 0, overlap=0.5),
    "accuracy .8, N = 500, two regimes": Setting("accuracy", 0.8, 500, 0, 0, regimes=2),
    "accuracy .8, N = 500, one regime": Setting("accuracy", 0.8, 500, 0, 0, regimes=1),
}
"""What is simulated, at each number of seeds and each of `SEED_SDS`: a tenth of each of them for accuracies of .99."""


def table(draws: int) -> Iterator[str]:
    """In Markdown: each cell is means / differences / the median half-width, over `SEED_SDS`."""
    yield "| | " + " | ".join(f"{seeds} seeds" for seeds in SEEDS) + " |"
    yield "| :-- |" + " --: |" * len(SEEDS)
    lost: dict[int, list[Found]] = {seeds: [] for seeds in SEEDS}
    for row, (name, setting) in enumerate(ROWS.items()):
        cells = []
        for seeds in SEEDS:
            sds = [sd / (10 if setting.level == 0.99 else 1) for sd in SEED_SDS]
            points = [setting._replace(seeds=seeds, seed_sd=sd) for sd in sds]
            found = [measured(point, draws, 1000 * row + 10 * seeds + k) for k, point in enumerate(points)]
            if setting.regimes == REGIMES and not setting.spread:
                lost[seeds] += found
            held, pairs = (np.mean([getattr(one, part) for one in found]) for part in ("held", "pairs"))
            half = np.mean([one.half for one in found])
            both = f"{pairs:.3f}" if setting.regimes > 1 else "–"
            cells.append(f"{held:.3f} / {both} / {half:.3g}")
        yield f"| {name} | " + " | ".join(cells) + " |"
    for words, part in (("one certain", "first"), ("any", "some")):
        cells = [f"{np.mean([getattr(one, part) for one in lost[seeds]]):.3f}" for seeds in SEEDS]
        yield f"| columns in which {words} of seven equal regimes is said not to be best | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--draws", type=int, default=80, help="columns of seven regimes at each of 192 points (default: %(default)s)"
    )
    begun, options = time.monotonic(), parser.parse_args()
    for line in table(options.draws):
        print(line, flush=True)
    print(f"\n{options.draws} columns at each point, {time.monotonic() - begun:.0f} s.")


if __name__ == "__main__":
    main()
