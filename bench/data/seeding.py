"""Separate streams of randomness, each a pure function of a trial's seed and the stream's name."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, name: str) -> int:
    """A 63-bit seed for one named stream of a trial's seed: `data`, `noise`, `initialisation`, `order`, `dropout`,
    `decoding`."""
    return int.from_bytes(hashlib.sha256(f"{name}:{seed}".encode()).digest()[:8], "big") >> 1


def ranks(seed: int, name: str, count: int) -> np.ndarray:
    """A random order of `count` things: int64 [count], the rank of each, drawn by the stream alone."""
    order = np.random.Generator(np.random.PCG64(stream(seed, name))).permutation(count)
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    return rank
