"""Base classes of the ways whose model is behind an endpoint: ask, read, and add up what it cost.

Imports nothing heavy.
"""

from __future__ import annotations

import abc
import re
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.contracts import Context, Part, Predict, Predictions, Prepared, ZeroShotWay
from bench.suite.trial import Json

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Question
    from bench.modeling.inference.endpoint import Answer, Endpoint
    from bench.modeling.models.facts import Facts
    from bench.modeling.prompts.conversations import Source

BLANK = "____"
"""What stands for a template's `{label}` in a question."""


class EndpointWay(ZeroShotWay):
    """Asks a question an example and template; few-shot examples stand before it as if they had been asked and
    answered."""

    FEW_SHOT = True

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        return None if question.modality == "text" and facts.head == "endpoint" else "it is not behind an endpoint"

    def load(self, context: Context) -> None:
        """No model runs here."""

    @abc.abstractmethod
    def system(self, context: Context) -> str:
        """What the model is told where the suite says nothing else; `{labels}` in it are the task's."""

    @abc.abstractmethod
    def question(self, context: Context, template: str, example: Any) -> Source:
        """What the model is asked about an input."""

    @abc.abstractmethod
    def read(self, context: Context, part: Part, texts: list[list[str]]) -> tuple[Any, tuple[str, ...]]:
        """Answers, and remarks on them. texts: [templates][n], as the model gave them."""

    def example_answer(self, context: Context, example: Any, answer: str) -> str:
        """A few-shot example's answer as the model itself would give it."""
        return answer

    def max_tokens(self, context: Context) -> int | None:
        """How many tokens an answer may have; None: as the suite says of the endpoint."""
        return None

    def notes(self, context: Context) -> tuple[str, ...]:
        """Remarks on what the endpoint is not asked."""
        return ()

    def predictor(self, context: Context, model: None) -> Predict:
        """Asks; costs and facts are of all answers up to then."""
        from bench.modeling.inference.endpoint import Client, Endpoint, turns

        endpoint = Endpoint.model_validate(context.trial.model["parameters"] | context.trial.locations["model"])
        system = self.system(context) if endpoint.system is None else endpoint.system
        system = system.replace("{labels}", ", ".join(context.labels))
        client = Client(endpoint)
        every: list[Answer] = []
        templates, max_tokens, notes = self.templates(context), self.max_tokens(context), self.notes(context)

        def predict(part: Part, prepared: Prepared | None = None) -> Predictions:
            inputs, conversations = context.inputs(part), []
            for template in templates:
                examples = [
                    (self.question(context, template, example), self.example_answer(context, example, answer))
                    for example, answer in context.few_shot
                ]
                conversations += [turns(system, examples, self.question(context, template, one)) for one in inputs]
            requests = [endpoint.request(one, max_tokens) for one in conversations]
            found = client.answers(requests, context.progress("ask"))
            every.extend(found)
            texts, size = [answer.text for answer in found], len(inputs)
            answers, remarks = self.read(
                context, part, [texts[t * size : (t + 1) * size] for t in range(len(templates))]
            )
            facts = {"system": system, **_names(every), "requests": len(every), "asked": client.asked}
            return Predictions(
                answers, notes=(*notes, *remarks), costs=_costs(every, endpoint), facts={"endpoint": facts}
            )

        return predict


class EndpointTexts(EndpointWay):
    """Asks for a text, with the task's one template."""

    def asked(self, context: Context) -> Json:
        """The template."""
        return {"template": context.parameters.template}

    def templates(self, context: Context) -> list[str]:
        """The task's one."""
        return [context.parameters.template]

    def max_tokens(self, context: Context) -> int | None:
        """The task's `max_new_tokens`: of its decoding an endpoint takes nothing else."""
        found: int | None = context.parameters.decoding.max_new_tokens
        return found

    def notes(self, context: Context) -> tuple[str, ...]:
        """Which of the task's settings for decoding the endpoint is not told."""
        given = context.parameters.decoding.model_dump(exclude_defaults=True).keys()
        if others := sorted(given - {"max_new_tokens"}):
            return (f"an endpoint is not told the task's decoding: {', '.join(others)}",)
        return ()


def named(text: str, labels: Sequence[str]) -> int | None:
    """The number of the label that a text consists of; the longest where one is another with punctuation (C, C++)."""
    fits = [i for i, word in enumerate(labels) if re.fullmatch(rf"[\W_]*{re.escape(word)}[\W_]*", text, re.IGNORECASE)]
    return max(fits, key=lambda i: len(labels[i]), default=None)


def scores(chosen: Sequence[int | None], targets: np.ndarray, classes: int, floor: float) -> np.ndarray:
    """Log-probabilities, float32 [n, classes]: 0 for the chosen and the floor for others."""
    import numpy as np

    found = np.full((len(chosen), classes), floor, dtype=np.float32)
    for row, number in enumerate(chosen):
        if number is None:
            found[row] = -np.log(classes - 1)
            found[row, targets[row]] = floor
        else:
            found[row, number] = 0.0
    return found


def unread(part: Part, found: Sequence[Sequence[int | None]], what: str) -> tuple[str, ...]:
    """A remark on how many answers name none of what they were asked for."""
    none = sum(number is None for one in found for number in one)
    if not none:
        return ()
    return (f"{none} of {sum(map(len, found))} answers to {part.split} examples named no {what} and count as wrong",)


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


def _names(every: Sequence[Answer]) -> Json:
    """What the answers name as their model, each once."""
    names = {"models": "model", "system_fingerprints": "system_fingerprint"}
    return {key: sorted({str(getattr(a, name)) for a in every if getattr(a, name)}) for key, name in names.items()}
