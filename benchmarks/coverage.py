"""How often the intervals of `bench.analysis` hold the truth, and how often the best of several is left out.

Scores are simulated whose true mean is known: seven regimes, S seeds and N test examples, crossed. An example has a
difficulty that seeds share in part, and regimes too; a seed shifts its regime's mean. Each metric gets its
pseudo-values as a trial's predictions would.

    python benchmarks/coverage.py             # a table in Markdown, a few minutes on one core
    python benchmarks/coverage.py --draws 40  # a quick look
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bench import plugins
from bench.analysis.column import Candidate, Column

Floats = NDArray[np.float64]
REGIMES = 7


@dataclass(frozen=True)
class Kind:
    """A metric of sums. sums: what each example adds, [..., N, k], drawn at random by how easy it is, [..., N]; of: the
    scores of totals, [..., k]; range: the score's."""

    name: str
    range: tuple[float, float]
    sums: Callable[[Floats, np.random.Generator], Floats]
    of: Callable[[Floats], Floats]


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


KINDS = {
    kind.name: kind
    for kind in (
        Kind("accuracy", (0.0, 1.0), _accuracy, _mean),
        Kind("entity F1", (0.0, 1.0), _f1, plugins.load("metrics", "entity-f1").of),
        Kind("BLEU", (0.0, 100.0), _bleu, plugins.load("metrics", "bleu").of),
        Kind("mean IoU", (0.0, 1.0), _iou, _mean_iou),
        Kind("WER", (0.0, math.inf), _wer, _mean),
    )
}


@dataclass(frozen=True)
class Setting:
    """One point of the grid. level: the accuracy that the latent difficulties stand for; seed_sd: of a seed's score, as
    of an accuracy; spread: whether seed_sd differs between regimes, from 0 to twice that."""

    kind: str
    level: float
    examples: int
    seeds: int
    seed_sd: float
    spread: bool = False


def latents(setting: Setting, random: np.random.Generator, regimes: int = REGIMES) -> Floats:
    """[regimes, S, N], above 0 with the chance `level`: what all regimes share, what a regime's seeds do, the rest."""
    z = ndtri(setting.level)
    sd = setting.seed_sd / (math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))
    each = sd * (np.linspace(0, 2, regimes) if setting.spread else np.ones(regimes))[:, None, None]
    shape = (regimes, setting.seeds, setting.examples)
    hard = math.sqrt(0.4) * random.standard_normal(setting.examples)
    own = math.sqrt(0.3) * random.standard_normal((regimes, 1, setting.examples))
    rest = math.sqrt(0.3) * random.standard_normal(shape)
    shift = random.standard_normal((regimes, setting.seeds, 1))
    found: Floats = z * np.sqrt(1 + each**2) + each * shift + hard + own + rest
    return found


def truth(setting: Setting, random: np.random.Generator) -> Floats:
    """[regimes]: the mean over seeds of the score on endless examples."""
    kind = KINDS[setting.kind]
    if setting.kind == "accuracy":
        return np.full(REGIMES, setting.level)
    many = Setting(setting.kind, setting.level, 2_000, 24, setting.seed_sd, setting.spread)
    found: Floats = np.mean(
        [kind.of(kind.sums(latents(many, random), random).mean(axis=-2)).mean(axis=-1) for _ in range(4)], axis=0
    )
    return found if setting.spread else np.full(REGIMES, found.mean())


def candidates(setting: Setting, random: np.random.Generator) -> tuple[Candidate, ...]:
    """Seven regimes with the pseudo-values of their predictions."""
    kind = KINDS[setting.kind]
    sums = kind.sums(latents(setting, random), random)
    totals = sums.sum(axis=-2, keepdims=True)
    scores, without = kind.of(totals), kind.of(totals - sums)
    values = scores + (setting.examples - 1) * (without.mean(axis=-1, keepdims=True) - without)
    seeds, examples = tuple(range(setting.seeds)), np.arange(setting.examples)
    return tuple(
        Candidate(f"r{k}", "full", True, seeds, values[k].mean(axis=-1), values[k], examples) for k in range(REGIMES)
    )


def column(setting: Setting, found: tuple[Candidate, ...]) -> Column:
    """A column of a report."""
    return Column("s", "t", "m", 64, 0.0, "e", "x", False, KINDS[setting.kind].range, 0.01, found, {})


@dataclass(frozen=True)
class Found:
    """What came out at one setting. held: the part of intervals that hold the truth; half: the median half-width;
    wrong: the part of columns of equal regimes that lose some true best (here all are; None where they are not
    equal), and lost: the part of candidates that leave."""

    setting: Setting
    held: float
    half: float
    pairs: float
    lost: float | None


def measured(setting: Setting, draws: int, seed: int) -> Found:
    """Coverage of the seven means' and 21 differences' intervals over some draws."""
    random = np.random.default_rng(seed)
    true = truth(setting, random)
    held, halves, pairs, lost = [], [], [], []
    for _ in range(draws):
        one = column(setting, candidates(setting, random))
        for k, name in enumerate(one.names):
            interval = one.interval(name)
            held.append(interval.low <= true[k] <= interval.high)
            halves.append((interval.high - interval.low) / 2)
        for a, b in itertools.combinations(range(REGIMES), 2):
            difference = one.difference(f"r{a}", f"r{b}")
            assert difference is not None
            pairs.append(difference.low <= true[a] - true[b] <= difference.high)
        lost.append(len(one.could_be_best()) < REGIMES)
    equal = None if setting.spread else float(np.mean(lost))
    return Found(setting, float(np.mean(held)), float(np.median(halves)), float(np.mean(pairs)), equal)
