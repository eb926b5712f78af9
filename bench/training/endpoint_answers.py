"""What every way of answering does whose model is behind an endpoint: asks, reads, and adds up what it cost."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bench.modeling.inference.endpoint import Answer, Client, Endpoint, turns
from bench.modeling.prompts.conversations import Source
from bench.suite.trial import Json
from bench.training.job import Adapted, Job, Part


def asked(
    job: Job,
    *,
    system: str,
    templates: Sequence[str],
    question: Callable[[str, Any], Source],
    read: Callable[[Part, list[list[str]]], Any],
    max_tokens: int | None = None,
    said: Callable[[Any, str], str] = lambda example, answer: answer,
) -> Adapted:
    """A model that answers by being asked.

    system: what it is told where the suite says nothing else, `{labels}` in it being the task's; question: (template,
    input) → what it is asked; the job's shots stand before, as if they had been asked and answered; read: a part,
    [templates][n] texts → its answers; said: (a shot's input, its answer) → what it looks like as one of the model's.
    """
    endpoint = Endpoint.model_validate(job.trial.model["parameters"] | job.trial.locations["model"])
    told = (system if endpoint.system is None else endpoint.system).replace("{labels}", ", ".join(job.labels))
    client = Client(endpoint)
    costs: Json = {}
    facts: Json = {"system": told}
    every: list[Answer] = []

    def predict(part: Part) -> Any:
        inputs, requests = job.examples(part.split).inputs, []
        for template in templates:
            shots = [(question(template, example), said(example, answer)) for example, answer in job.shots]
            requests += [turns(told, shots, question(template, inputs[int(i)])) for i in part.indices]
        found = client.answers(
            [endpoint.request(one, max_tokens) for one in requests], lambda done, total: job.tick("ask", done, total)
        )
        every.extend(found)
        costs.update(_costs(every, endpoint))
        facts.update(_told(every), requests=len(every), asked=client.asked)
        size = len(part.indices)
        texts = [answer.text for answer in found]
        return read(part, [texts[t * size : (t + 1) * size] for t in range(len(templates))])

    return Adapted(predict, trainable=None, total=None, stored_bytes=None, costs=costs, facts={"endpoint": facts})


def limit(job: Job) -> int | None:
    """Of how the task has texts written an endpoint takes `max_new_tokens` alone; the job's notes name the others."""
    decoding = job.parameters.decoding
    if others := sorted(decoding.model_dump(exclude_defaults=True).keys() - {"max_new_tokens"}):
        job.notes.append(f"an endpoint is not told the task's decoding: {', '.join(others)}")
    found: int | None = decoding.max_new_tokens
    return found


def unread(job: Job, part: Part, found: Sequence[Sequence[int | None]], what: str) -> None:
    """Say in the job's notes how many answers are none."""
    if none := sum(number is None for one in found for number in one):
        job.notes.append(
            f"{none} of {sum(map(len, found))} answers to {part.split} examples named no {what} and count as wrong"
        )


def _costs(every: Sequence[Answer], endpoint: Endpoint) -> Json:
    """Of all answers, those from the cache too: they cost what they cost when they were asked for."""
    costs: Json = {"inference": {"latency_seconds": statistics.median(answer.seconds for answer in every)}}
    read, written = ([getattr(answer, name) for answer in every] for name in ("prompt_tokens", "completion_tokens"))
    if None in read or None in written:
        return costs
    costs["tokens"] = {"prompt": sum(read), "completion": sum(written)}
    if endpoint.price is not None:
        amount = (sum(read) * endpoint.price.input + sum(written) * endpoint.price.output) / 1e6
        costs["price"] = {"amount": amount, **endpoint.price.model_dump()}
    return costs


def _told(every: Sequence[Answer]) -> Json:
    """What the answers name as their model, each once."""
    names = {"models": "model", "system_fingerprints": "system_fingerprint"}
    return {key: sorted({str(getattr(a, name)) for a in every if getattr(a, name)}) for key, name in names.items()}
