"""A trial's model, made ready for its task by the trial's regime."""

from __future__ import annotations

from bench import plugins
from bench.contracts import Adapted, Context
from bench.probes.ledger import Ledger


def adapt(context: Context, ledger: Ledger) -> Adapted:
    """What the regime gives. Raises what adapting raises."""
    regime = plugins.load("regimes", context.trial.regime["kind"])
    return regime.adapt(context, ledger, regime.Parameters.model_validate(context.trial.regime["parameters"]))
