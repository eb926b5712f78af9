"""What a record holds: the same types for whoever reads one and for the check of what was read.

Whatever a type does not name is kept and not looked at, but under `scores`, where it is an error. docs/records.md says
what each key means.
"""

from __future__ import annotations

from typing import Annotated, Any, Required

from pydantic import AfterValidator, Field, with_config
from typing_extensions import TypedDict

from bench.suite.trial import Json, TrialSpec

SCHEMA = 2
"""Of records: 1 had each baseline under `scores` by its own name, 2 has them under `scores.baselines`."""
OLDEST = 1
"""The first schema that is read still: `lift` makes of it what is written today."""

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e100, le=1e100)]
"""One whose square, and whose sums, are numbers too."""
Values = dict[str, Number]
"""{metric: value}"""
ByName = dict[str, Number | None]
"""{stage: value}, or of anything else; older versions wrote null for what was not measured."""


class Change(TypedDict):
    """A score with the pretrained weights and with the trained ones."""

    before: Number
    after: Number


class AfterScores(TypedDict):
    """Where the task comes after another."""

    task: str
    metric: str
    before: Values
    after: Values
    without: Values


class MetricFacts(TypedDict):
    """What a metric says of itself; range: without an end, null."""

    lower_is_better: bool
    range: list[Number | None]


@with_config(extra="forbid")
class Scores(TypedDict, total=False):
    """Every score of a trial."""

    metric: Required[str]
    test: Values
    validation: Values
    validation_parts: list[Number]
    templates: dict[str, list[Number]]
    signatures: dict[str, str]
    metrics: dict[str, MetricFacts]
    baselines: dict[str, ByName | None]
    forgetting: dict[str, dict[str, Change]]
    after: AfterScores
    also_test: dict[str, Values]
    also_test_baselines: dict[str, dict[str, ByName]]


class StepSeconds(TypedDict, total=False):
    """Seconds of an optimiser step."""

    median: Number
    p95: Number
    warmup: int


class Flops(TypedDict, total=False):
    """Floating-point operations of training."""

    train: Number
    per_step: Number
    utilisation: Number


class ParameterCounts(TypedDict):
    """How many numbers a model has, and how many of them were trained."""

    total: Number
    trainable: Number | None


class Inference(TypedDict, total=False):
    """What an answer takes."""

    latency_seconds: Number
    latency_templates: int
    examples_per_second: Number
    tokens_per_second: Number


class Tokens(TypedDict):
    """Tokens sent to an endpoint and received from it."""

    prompt: Number
    completion: Number


class Price(TypedDict):
    """What an endpoint's answers cost; input and output: of a million tokens."""

    amount: Number
    currency: str
    input: Number
    output: Number


class Batch(TypedDict):
    """How a batch was cut to fit the device."""

    size: int
    micro: int
    accumulation: int


class SharedCosts(TypedDict, total=False):
    """Of what is computed once and charged to every trial that uses it."""

    seconds: Number
    steps: Number
    flops: Number | None
    train: Number
    examples: Number
    tokens: Number
    loss: list[Number]


class Costs(TypedDict, total=False):
    """What a trial took."""

    seconds: ByName
    shared: dict[str, SharedCosts]
    steps: Number
    step_seconds: StepSeconds
    examples_per_second: Number
    tokens_per_second: Number
    memory_bytes: ByName
    energy_joules: ByName
    flops: Flops
    parameters: ParameterCounts
    stored_bytes: Number
    inference: Inference
    tokens: Tokens
    price: Price
    batch: Batch
    probe_fraction: Number


class Environment(TypedDict, total=False):
    """The software and hardware that a result also depends on. id: a hash of the rest."""

    id: str
    device: str
    processor: str
    threads: int
    precision: str
    python: str
    platform: str
    packages: dict[str, str | None]
    cuda: str | None


class EndpointFacts(TypedDict, total=False):
    """What an endpoint told of itself, and what it was asked."""

    models: list[str]
    system_fingerprints: list[str]
    system: str | None
    requests: int
    asked: int


class Facts(TypedDict, total=False):
    """What else is known of a trial. What a zero-shot way asked with (templates, labels, …) has that way's own form."""

    pooling: str | None
    preprocessing: Json
    train_examples: int
    validation_examples: int
    test_examples: int
    also_test_examples: dict[str, int]
    noisy_labels: int
    tuned: dict[str, Number]
    tried: list[Number]
    on_edge: bool
    method: str
    templates: list[Any]
    template: str | None
    chat_template: bool
    labels: list[Any] | Json
    label_map: Json
    shots: int
    decoding: Json
    batch_norm: Json
    trained_modules: list[str]
    feeding: Json
    notes: list[str]
    resumed: list[int]
    endpoint: EndpointFacts


def _has_its_metric(scores: Scores) -> Scores:
    for name, found in (("test", scores.get("test")), ("validation", scores.get("validation"))):
        if found and scores["metric"] not in found:
            raise ValueError(f"{name} holds no {scores['metric']}, which is its metric")
    if after := scores.get("after"):
        if not all(after["metric"] in one for one in (after["before"], after["after"])):
            raise ValueError(f"after holds no {after['metric']}, which is its metric")
        if scores["metric"] not in after["without"]:
            raise ValueError(f"after.without holds no {scores['metric']}, which is the metric")
    return scores


class Record(TypedDict, total=False):
    """One line of a records file: an attempt at a trial. A failed one has of `scores` … `facts` what was known by
    then. rescored: never written; where it is read, the metrics of which the kept outcomes are not."""

    schema: int
    trial: Required[TrialSpec]
    attempt: str | None
    run: str
    suite: str
    bench: str
    status: Required[str]
    cause: str | None
    log: str | None
    started: str | None
    finished: str | None
    start_seconds: Number
    scores: Annotated[Scores, AfterValidator(_has_its_metric)]
    costs: Costs
    environment: Environment
    facts: Facts
    rescored: list[str]


def _is_whole(record: Record) -> Record:
    for part in ("scores", "costs"):
        if record["status"] == "ok" and part not in record:
            raise ValueError(f"an ok record without {part}")
    return record


WholeRecord = Annotated[Record, AfterValidator(_is_whole)]
"""What is checked on reading: an `ok` record has scores and costs."""
_SCORES = Scores.__required_keys__ | Scores.__optional_keys__


def lift(record: Json) -> Json:
    """A record of schema 1 as today's are: its baselines, which stood among the scores, under a key of their own."""
    lifted = {key: value for key, value in record.items() if value is not None or key not in _PARTS}
    scores = lifted.get("scores")
    if isinstance(scores, dict):
        known = {key: value for key, value in scores.items() if key in _SCORES and value is not None}
        baselines = {key: value for key, value in scores.items() if key not in _SCORES}
        lifted["scores"] = known | ({"baselines": baselines} if baselines else {})
    return lifted


_PARTS = ("scores", "costs", "environment", "facts")
"""What schema 1 might have as null where it was not known."""
