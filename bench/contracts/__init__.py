"""Contracts: one base class for each folder of plugins, and what passes between a plugin and a trial.

A file in a plugin folder holds one class that derives from the folder's base class here; its stem, with dashes, is the
name used in YAML. What every plugin must have is abstract; what some have is an attribute or a method with a default.
Nothing here imports torch: the types of models and arrays are named for the type checker alone.
"""

from __future__ import annotations

from bench.contracts.context import (
    Adapted,
    Baseline,
    Choice,
    Context,
    Features,
    Modality,
    Part,
    Predict,
    Predictions,
    Prepared,
    Question,
    Solved,
    TaskExamples,
    Tick,
)
from bench.contracts.export import Export
from bench.contracts.metric import MeanMetric, Metric, SumsMetric
from bench.contracts.objective import Objective
from bench.contracts.plugin import P, Plugin
from bench.contracts.regime import Regime
from bench.contracts.report import ReportFormat
from bench.contracts.sources import DataSource, ModelSource
from bench.contracts.task import TaskKind
from bench.contracts.zeroshot import ZeroShotWay

__all__ = [
    "Adapted",
    "Baseline",
    "Choice",
    "Context",
    "DataSource",
    "Export",
    "Features",
    "MeanMetric",
    "Metric",
    "Modality",
    "ModelSource",
    "Objective",
    "P",
    "Part",
    "Plugin",
    "Predict",
    "Predictions",
    "Prepared",
    "Question",
    "Regime",
    "ReportFormat",
    "Solved",
    "SumsMetric",
    "TaskExamples",
    "TaskKind",
    "Tick",
    "ZeroShotWay",
]
