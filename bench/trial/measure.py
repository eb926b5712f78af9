"""Adapts a trial's model, scores it, and measures what that costs.

Everything known is in the record at once, so that a failure keeps it.
"""

from __future__ import annotations

from typing import Any

from bench import plugins
from bench.contracts import Adapted, Choice, Context, Part, Predictions
from bench.probes.ledger import Ledger
from bench.store import paths
from bench.suite.trial import Json
from bench.training.validation_parts import pseudo_values
from bench.trial import also_test, costs, evaluation, forgetting, task_sequence, unknown_tokens
from bench.trial.adapt import adapt
from bench.trial.attempt import Attempt, is_local


def measure(context: Context, ledger: Ledger, attempt: Attempt, record: Json) -> None:
    """Fill the record's scores, facts and costs, and save predictions and curve."""
    trial = context.trial
    before = task_sequence.begin(context, ledger, attempt) if "after" in trial.regime else None
    if before is not None:
        context = context.starting_from(before)
    adapted = _adapt(context, ledger, record)
    artifact: Json = {"curve": {}}
    if adapted.fit is not None:
        artifact["curve"] = {"losses": adapted.fit.losses, "validations": adapted.fit.validations}
    with ledger.memory.stage("inference"):
        if adapted.choice is not None:
            _tell_choice(adapted.choice, record)
        elif len(context.parts["validation"].indices) and is_local(trial):  # each question to an endpoint costs
            _validate(context, ledger, adapted, record)
        artifact |= _test(context, ledger, adapted, record)
    _compare(context, ledger, record)  # excluded from peak memory
    context.intact()  # weights may be read, page by page, as late as they are needed
    with ledger.stage("save"):
        if attempt.home is not None:
            attempt.home.check()
        evaluation.save(paths.artifacts(attempt.results, trial.id, attempt.order["attempt"]), artifact)
    _look_back(context, ledger, attempt, adapted, before, record)


def predict(context: Context, ledger: Ledger, adapted: Adapted, part: Part, stage: str) -> tuple[Predictions, Any]:
    """Answers to a part, timed as a stage, and what they are judged by, [n]."""
    with ledger.stage(stage):
        found = adapted.predict(part)
    ledger.note(found.notes)
    if share := context.features.seconds(part):
        ledger.charge(stage, share)
    return found, context.objective.targets(context, part)


def _adapt(context: Context, ledger: Ledger, record: Json) -> Adapted:
    with ledger.memory.stage("train"):
        adapted = adapt(context, ledger)
    if "train" not in ledger.stages.seconds:  # nothing was trained: what loading took is no training's memory
        ledger.memory.forget("train")
    ledger.note(adapted.notes)
    facts, known = record["facts"], record["costs"]
    if adapted.total is not None:
        known["parameters"] = {"total": adapted.total, "trainable": adapted.trainable}
    if adapted.stored_bytes is not None:
        known["stored_bytes"] = adapted.stored_bytes
    if (fit := adapted.fit) is not None:
        device = record["environment"]["device"]
        known |= ledger.guard("what training cost", lambda: costs.training(context, ledger, fit, device), {})
    if "way" not in context.trial.regime and context.objective.POOLED:
        facts["pooling"] = context.pooling
    facts |= adapted.facts
    ledger.note(ledger.guard("how many texts were cut", context.features.truncation, []))
    return adapted


def _validate(context: Context, ledger: Ledger, adapted: Adapted, record: Json) -> None:
    found, targets = predict(context, ledger, adapted, context.parts["validation"], "validation")
    metrics = context.metrics
    scores = evaluation.scores(context.objective, metrics, targets, found.answers)
    doubt = ledger.guard("the log-loss", lambda: context.objective.doubt(targets, found.answers))
    record["scores"]["validation"] = scores | ({} if doubt is None else {"log_loss": doubt})
    parts = ledger.guard("how sure validation is", lambda: pseudo_values(metrics[0], targets, found.answers), [])
    record["scores"]["validation_parts"] = parts


def _tell_choice(choice: Choice, record: Json) -> None:
    """What a trial chose by itself, in the place of a validation score: it has learnt from the held-out labels too."""
    record["scores"]["validation"] = choice.scores
    record["scores"]["validation_parts"] = choice.parts
    record["facts"]["tuned"] = {choice.parameter: choice.value}
    record["facts"]["tried"] = [*choice.tried]
    record["facts"]["on_edge"] = choice.on_edge


def _test(context: Context, ledger: Ledger, adapted: Adapted, record: Json) -> Json:
    """Score the test split and every also_test set; the predictions files' columns."""
    scores, facts, known = record["scores"], record["facts"], record["costs"]
    metrics, part = context.metrics, context.parts["test"]
    if encoded := _reads_encoded(context):
        test = context.features.encoded(part.split)  # tokenising is a stage of its own
        if done := getattr(test, "preprocessing", None):
            facts["preprocessing"] = done
    found, targets, scores["test"] = _judge(context, ledger, adapted, part, "test", "test example")
    scores |= ledger.guard("the metrics' signatures", lambda: evaluation.signatures(metrics), {})
    scores |= evaluation.facts(metrics)
    if len(found.answers) > 1:
        scores["templates"] = evaluation.by_template(metrics, targets, found.answers)
    columns = evaluation.predictions(context, ledger.guard, metrics[0], part, targets, found.answers)
    inference = found.costs.get("inference") or ledger.guard(
        "what inference cost", lambda: costs.inference(context, ledger, adapted, part, found)
    )
    if inference is not None:
        known["inference"] = inference
    artifact = {"predictions": columns, "also_test": {}}
    for name, split in also_test.splits(context.trial.task):
        other = context.parts[split]
        if encoded:
            context.features.encoded(split)
        facts.setdefault("also_test_examples", {})[name] = len(other.indices)
        found, targets, judged = _judge(context, ledger, adapted, other, "also_test", f"example of {name}")
        scores.setdefault("also_test", {})[name] = judged
        artifact["also_test"][name] = evaluation.predictions(
            context, ledger.guard, metrics[0], other, targets, found.answers
        )
    known |= found.costs
    facts |= found.facts | ({"decoding": found.decoding} if found.decoding else {})
    return artifact


def _judge(
    context: Context, ledger: Ledger, adapted: Adapted, part: Part, stage: str, examples: str
) -> tuple[Predictions, Any, Json]:
    """Answers to a part, what they are judged by, and their scores. examples: what the part's are called."""
    found, targets = predict(context, ledger, adapted, part, stage)
    _remark_constant(context, ledger, found, examples)
    metrics = context.metrics
    return found, targets, evaluation.scores(context.objective, metrics, targets, found.answers)


def _reads_encoded(context: Context) -> bool:
    """Whether the model is given the test split as it is encoded, in tokens or pixels."""
    regime = plugins.load("regimes", context.trial.regime["kind"])
    own_way = "way" in context.trial.regime and context.objective.POOLED
    tokens = regime.LABELS and not own_way
    return is_local(context.trial) and (tokens or context.task.MODALITY == "image")


def _remark_constant(context: Context, ledger: Ledger, found: Predictions, examples: str) -> None:
    if ledger.guard("whether all answers are alike", lambda: context.objective.constant(found.answers)):
        ledger.note([f"every {examples} got the same answer"])


def _compare(context: Context, ledger: Ledger, record: Json) -> None:
    """Baselines, and whether the model knows the words."""
    metrics, scores = context.metrics, record["scores"]
    with ledger.uncharged():
        scores["baselines"] = evaluation.baselines(context, ledger, metrics, context.parts["test"])
        others = {name: context.parts[split] for name, split in also_test.splits(context.trial.task)}
        if others:
            scores["also_test_baselines"] = {
                name: evaluation.baselines(context, ledger, metrics, part) for name, part in others.items()
            }
    if is_local(context.trial):
        ledger.note(ledger.guard("which tokens are unknown", lambda: unknown_tokens.remarks(context), []))


def _look_back(context: Context, ledger: Ledger, attempt: Attempt, adapted: Adapted, before: Any, record: Json) -> None:
    """What is left of the task that came first, and of those that the suite names for forgetting."""
    trial = context.trial
    if before is not None:
        record["scores"]["after"] = task_sequence.measure(context, ledger, attempt, adapted, before)
    if "forgetting" in trial.regime and context.objective.POOLED and adapted.backbone is not None:
        with ledger.stage("forgetting"):
            found = forgetting.measure(context, ledger, adapted.backbone, trial.locations["forgetting"])
        record["scores"]["forgetting"] = found
