"""What is computed once: a split's tokens or pixels, and the frozen backbone's features, in the cache by content."""

from __future__ import annotations

import functools
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.contracts import Context, Part
from bench.modeling.encoding.arrays import Tokens
from bench.modeling.encoding.text import cut, tokenizer_for
from bench.modeling.inference.batched import in_batches
from bench.probes.clock import latency
from bench.probes.guard import Guard
from bench.probes.heartbeat import working
from bench.probes.ledger import Ledger
from bench.store.cache import cached
from bench.suite.trial import Json
from bench.training.build import build


class TrialFeatures:
    """See `bench.contracts.Features`. encoded: splits that are in memory already."""

    def __init__(self, context: Context, ledger: Ledger, encoded: dict[str, Any] | None = None) -> None:
        self._context, self._ledger = context, ledger
        self._encoded: dict[str, Any] = {} if encoded is None else encoded
        self._seconds: dict[str, float] = {}
        self.backbone_parameters = 0
        self.latency: float | None = None

    @functools.cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer, loaded when first asked for."""
        return tokenizer_for(self._context.folder)

    def with_few_shot(self, examples: tuple[tuple[Any, str], ...]) -> TrialFeatures:
        """Those of a trial with examples in its prompts."""
        return TrialFeatures(self._context.replace(few_shot=examples), self._ledger)

    def with_encoded(self, split: str, encoded: Any) -> TrialFeatures:
        """The same, but for how the model takes a split."""
        return TrialFeatures(self._context, self._ledger, {**self._encoded, split: encoded})

    def starting_from(self, start: Path) -> TrialFeatures:
        """Those of a trial that starts from other weights, which tokens do not depend on."""
        return TrialFeatures(self._context.replace(start=start), self._ledger, self._encoded)

    def encoded(self, split: str) -> Any:
        """A split as the model takes it: from the cache, or computed and cached."""
        if split not in self._encoded:
            context = self._context

            def encode(target: Path) -> None:
                found = replace(context.examples(split), shots=list(context.few_shot))
                context.task.encode(context.folder, found, context.parameters, target)
                context.intact()

            with self._ledger.stage("tokenise"), working(lambda: context.tick("tokenise", 0, None)):
                folder = cached("encoded", self._key(split), encode)
                self._encoded[split] = context.task.load(folder)
        return self._encoded[split]

    def frozen(self, split: str) -> np.ndarray:
        """Pooled features of a whole split, computed once for all trials that share them.

        What they cost is charged to every trial in proportion to the examples it uses (`seconds`), and not to the one
        that happens to compute them.
        """
        context = self._context
        key = {**self._key(split), "features": context.pooling, "environment": context.environment,
               "precision": context.training.precision, "dtype": context.trial.model["parameters"]["dtype"],
               **({"start": context.start.name} if context.start else {})}  # fmt: skip
        encoded = self.encoded(split)
        with self._ledger.uncharged():
            folder = cached("features", key, lambda target: self._compute(encoded, target))
        facts = json.loads((folder / "facts.json").read_text())
        self.backbone_parameters, self.latency = facts["parameters"], facts["latency"]
        self._ledger.note(facts.get("notes", []))
        self._seconds[split] = facts["seconds"] / facts["examples"]
        return np.asarray(np.load(folder / "features.npy", mmap_mode="r"))

    def seconds(self, part: Part) -> float:
        """The part's share of computing the features it used."""
        return self._seconds.get(part.split, 0.0) * len(part.indices)

    def truncation(self) -> list[str]:
        """A remark where the training texts that were encoded had to be cut."""
        found = self._encoded.get("train")
        if not isinstance(found, Tokens):
            return []
        said = cut(self._context.folder, found, self._context.parameters.max_length)
        return [said] if said else []

    def _compute(self, encoded: Any, target: Path) -> None:
        context = self._context
        model: Any = build(context, pretrained=True, frozen=True).eval()  # no stage: not this trial's alone
        begun = time.perf_counter()
        found = in_batches(
            context,
            lambda rows: model.features(encoded.batch(rows, context.device)),
            np.asarray(encoded.lengths),
            "features",
        )
        context.intact()
        np.save(target / "features.npy", found)
        facts = {
            "seconds": time.perf_counter() - begun,
            "examples": len(found),
            "parameters": sum(p.numel() for p in model.backbone.parameters()),
        }
        one, told = np.arange(1), Guard()
        with torch.inference_mode(), context.autocast():
            facts["latency"] = told("the latency", lambda: latency(
                lambda: model.features(encoded.batch(one, context.device)), self._ledger.stages.synchronise
            ))  # fmt: skip
        facts["notes"] = told.notes
        (target / "facts.json").write_text(json.dumps(facts))

    def _key(self, split: str) -> Json:
        """Everything that determines how this model takes this split."""
        context = self._context
        key: Json = {
            "model": context.trial.model, "task": context.trial.task, "split": split, "limits": context.trial.limits,
        }  # fmt: skip
        return key | ({"shots": context.few_shot} if context.few_shot else {})
