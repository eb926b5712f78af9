"""Trials whose models go on pretraining before they learn the task."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tiny_tasks import trial

from bench import plugins
from bench.modeling.models.facts import Facts
from bench.modeling.models.files import configs
from bench.planning.plan import Question
from bench.suite.trial import Trial

REGIME = plugins.load("regimes", "continued-pretraining")
FAST = {"pretraining_steps": 40, "pretraining_learning_rate": 1e-2, "pretraining_batch_size": 8}


def question(modality: str = "text") -> Question:
    return Question("classes", modality, [], {})


def continuing(model: Path, task: Any, parameters: Any = FAST, **changes: Any) -> Trial:
    parameters = REGIME.Parameters.model_validate(parameters)
    found = trial(model, task, "continued-pretraining", parameters.model_dump(mode="json"), **changes)
    own = {k: v for k, v in found.regime["parameters"].items() if k.startswith(("pretraining", "mlm"))}
    resolved = REGIME.resolve(Facts.from_files(configs(model, "m")), question(), parameters)
    return dataclasses.replace(found, regime={**found.regime, **resolved, "parameters": own})
