"""A small suite with its lock and its plan, of which nothing exists on disk or on the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench import api
from bench.planning import lock as locks
from bench.planning.plan import Plan, build
from bench.suite.schema import Suite
from bench.suite.trial import SCHEMA

SUITE = """
name: plan
models: {tiny: org/tiny}
tasks: {mood: {kind: text-classification, data: {hub: org/mood}, labels: [bad, good]}}
regimes: {zero-shot: , full: , fixed: {regime: full, learning_rate: 1e-4}}
sizes: [5, 40]
seeds: 3
tuning: {trials: 3}
"""
CONFIG = json.dumps({"model_type": "bert", "architectures": ["BertForMaskedLM"]})


def suite(tmp_path: Path, **changes: str) -> Suite:
    text = SUITE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "suite.yaml").write_text(text)
    return api.load_suite(tmp_path / "suite.yaml")


def locked(found: Suite, classes: list[int]) -> dict[str, Any]:
    lock: dict[str, Any] = {"schema": SCHEMA, "models": {}, "tasks": {}, "regimes": {}}
    entries: dict[str, dict[str, Any]] = {
        "models": {"fingerprint": "m", "files": {"config.json": CONFIG}},
        "tasks": {"fingerprint": "t", "labels": ["bad", "good"], "classes": {"train": classes, "test": [9, 9]}},
    }
    for section, name, _, order in locks.orders(found, lock):
        lock[section][name] = {"request": order["request"], **entries.get(section, {})}
    return lock


def plan(folder: Path, **changes: str) -> Plan:
    found = suite(folder, **changes)
    return build(found, locked(found, [100, 100]), {})
