"""Base class of the ways that score every label of a task by every template. Imports nothing heavy."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference.own_model import Asked

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context
    from bench.modeling.inference.zero_shot import Loaded, Settings


class LabelScoring(Asked):
    """Gives each of the task's labels a log-probability."""

    OBJECTIVE = "classes"

    @abc.abstractmethod
    def log_probabilities(
        self, loaded: Loaded, inputs: Sequence[Any], labels: Sequence[str], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [templates, examples, labels], each row a log-softmax."""

    def answers(
        self, context: Context, loaded: Loaded, inputs: Sequence[Any], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """Of the trial's own task."""
        return self.log_probabilities(loaded, inputs, context.labels, templates, how)

    def ask(self, context: Context, loaded: Loaded, inputs: Sequence[Any], task_parameters: Any) -> np.ndarray:
        """Log-probabilities for a task that may be another than the trial's own, float32 [templates, n, classes]."""
        from bench.modeling.inference import zero_shot

        templates = self.templates(context.replace(parameters=task_parameters))
        how = zero_shot.settings(context, task_parameters)
        return self.log_probabilities(loaded, inputs, task_parameters.words(), templates, how)
