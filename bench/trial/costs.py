"""What training and inference cost, for the record; without what could not be measured."""

from __future__ import annotations

from bench.contracts import Adapted, Context, Part, Predictions, Prepared
from bench.probes import clock
from bench.probes import flops as flop_probe
from bench.probes.ledger import Ledger
from bench.suite.trial import Json
from bench.training.state import Fit


def training(context: Context, ledger: Ledger, fit: Fit, device: str) -> Json:
    """Steps, throughput, FLOPs. device: its name, by which its peak is known."""
    costs: Json = {"steps": fit.steps, "step_seconds": fit.times.summary()}
    took = ledger.stages.seconds["train"]
    costs["examples_per_second"] = fit.examples / took
    costs["tokens_per_second"] = fit.tokens / took
    if fit.flops is not None:
        costs["flops"] = {"train": fit.flops, "per_step": fit.flops / fit.steps}
        peak = ledger.guard("the device's peak FLOP/s", lambda: flop_probe.peak(device))
        if peak is not None and context.training.precision == "bf16" and costs["step_seconds"]:
            costs["flops"]["utilisation"] = costs["flops"]["per_step"] / costs["step_seconds"]["median"] / peak
    size, micro = context.training.batch_size, context.micro_batch
    costs["batch"] = {"size": size, "micro": min(micro, size), "accumulation": -(-size // micro)}
    costs["probe_fraction"] = fit.times.own_seconds / took
    return costs


def inference(context: Context, ledger: Ledger, adapted: Adapted, part: Part, found: Predictions) -> Json:
    """Seconds of one answer (median of a few), and examples per second of the whole test pass, with all templates.

    One answer is by one template, to an example that is tokens or pixels already (`contracts.Prepared`); features are
    cached, so a probe is charged what its backbone took.
    """
    took = ledger.stages.seconds["test"]
    costs: Json = {"examples_per_second": len(part.indices) / took}
    if found.generated_tokens:
        costs["tokens_per_second"] = found.generated_tokens / took

    def measure() -> float:
        one, prepared = context.objective.example_to_time(context, part), Prepared()
        return clock.latency(lambda: adapted.predict(one, prepared), ledger.stages.synchronise)

    from_features = context.features.seconds(part) > 0
    latency = context.features.latency if from_features else ledger.guard("the latency", measure)
    return ({} if latency is None else {"latency_seconds": latency}) | {"latency_templates": 1} | costs
