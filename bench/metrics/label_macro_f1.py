"""Unweighted mean over labels of each label's own F1 = 2 TP / (2 TP + FP + FN), 0 for a label never there nor given."""

from __future__ import annotations

from bench.metrics.micro_f1 import MicroF1


class LabelMacroF1(MicroF1):
    """F1 of each label, then their mean."""

    AVERAGE = "macro"
