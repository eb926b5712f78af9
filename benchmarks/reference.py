"""Is our number right? Fine-tune with Hugging Face's `Trainer` on the same examples and hyperparameters, and compare.

    python benchmarks/reference.py results/sentiment-small \\
        --cell sst2:full:512 --cell sst2:lora:512 --cell ag-news:full:512

For each cell it takes, from our records, the model's commit, the data's fingerprint, the learning rate that tuning
chose, the number of steps and the seeds; then it trains with `Trainer` (its own loop, batch order and dropout masks)
and scores the same test split. It writes `reference.json` into the results folder and prints ours beside theirs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import peft
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoModel, AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments, set_seed

from bench import api, plugins
from bench.analysis.results import load
from bench.data.subsets import draw
from bench.store import atomic
from bench.suite.trial import Trial
from bench.trial import task_data


class MeanPooled(nn.Module):
    """An encoder, the mean of its unmasked token states, dropout and a linear head."""

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(encoder.config.hidden_dropout_prob)
        self.classifier = nn.Linear(encoder.config.hidden_size, classes)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, labels: torch.Tensor | None = None, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits, and the mean loss where labels are given."""
        states = self.encoder(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).float()
        logits = self.classifier(self.dropout((states * mask).sum(1) / mask.sum(1)))
        return {"logits": logits} if labels is None else {"loss": cross_entropy(logits, labels), "logits": logits}


def examples(trial: Trial) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The training and test examples of a trial, tokenised here."""
    found = task_data.load(trial.task, trial.locations["data"], {})
    assert isinstance(trial.validation, float)
    chosen = draw(found.labels["train"], trial.size, trial.validation, trial.seed).train
    tokenizer = AutoTokenizer.from_pretrained(folder(trial))
    limit = trial.task["parameters"]["max_length"]

    def encode(split: str, indices: Any) -> list[dict[str, Any]]:
        texts = found.examples(split).inputs
        encoded = [tokenizer(texts[int(i)], truncation=True, max_length=limit) for i in indices]
        return [{**dict(e), "labels": int(found.labels[split][int(i)])} for e, i in zip(encoded, indices, strict=True)]

    return encode("train", chosen), encode("test", range(len(found.labels["test"])))


def folder(trial: Trial) -> Path:
    """The model's files."""
    source = plugins.load("model_sources", trial.model["source"])
    parameters = source.Parameters.model_validate(trial.model["parameters"] | trial.locations["model"])
    found: Path = source.fetch(parameters, trial.model["fingerprint"])
    return found


def reference(trial: Trial, steps: int) -> float:
    """Accuracy of one seed, by `Trainer`."""
    train, test = examples(trial)
    set_seed(trial.seed)
    encoder = AutoModel.from_pretrained(folder(trial))
    if trial.regime["kind"] == "lora":
        own = {k: v for k, v in trial.regime["parameters"].items() if k != "config"}
        encoder = peft.get_peft_model(encoder, peft.LoraConfig(**own))
    tokenizer = AutoTokenizer.from_pretrained(folder(trial))
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        remove_unused_columns=False,
        label_names=["labels"],
        max_steps=steps,
        per_device_train_batch_size=trial.training["batch_size"],
        per_device_eval_batch_size=64,
        learning_rate=trial.tuned["learning_rate"],
        lr_scheduler_type="linear",
        warmup_steps=-(-steps * int(1000 * trial.training["warmup"]) // 1000),
        seed=trial.seed,
        weight_decay=trial.training["weight_decay"],
        max_grad_norm=trial.training["clip"],
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = Trainer(
        MeanPooled(encoder, len(trial.task["parameters"]["labels"])), arguments, train_dataset=train,
        data_collator=DataCollatorWithPadding(tokenizer),
    )  # fmt: skip
    trainer.train()
    found = trainer.predict(test)
    return float((found.predictions.argmax(-1) == found.label_ids).mean())


def main() -> int:
    """Run every cell asked for; exit code 1 when a reference mean lies outside our interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--cell", action="append", required=True, help="task:regime:size")
    args = parser.parse_args()
    (results,) = load(args.results)
    frame = api.cells(args.results)
    rows = []
    for cell in args.cell:
        task, regime, size = cell.split(":")
        (place,) = (
            one for one in results.places
            if (one.cell["task"], one.cell["regime"], str(one.cell["size"])) == (task, regime, size)
            and one.cell["noise"] == 0
        )  # fmt: skip
        trials = [(Trial.from_json(r["trial"]), int(r["costs"]["steps"])) for r in place.attempts]
        ours = frame[
            (frame.task == task) & (frame.regime == regime) & (frame["size"].astype(str) == size) & (frame.noise == 0)
        ].iloc[0]
        theirs = [reference(*trial) for trial in trials]
        mean = statistics.mean(theirs)
        rows.append({
            "cell": cell, "learning_rates": [one.tuned["learning_rate"] for one, _ in trials], "steps": trials[0][1],
            "ours": float(ours["mean"]), "low": float(ours["low"]), "high": float(ours["high"]),
            "reference": mean, "reference_seeds": theirs, "inside": bool(ours["low"] <= mean <= ours["high"]),
        })  # fmt: skip
        print(
            "{cell}: ours {ours:.3f} [{low:.3f}, {high:.3f}], Trainer {reference:.3f}, inside: {inside}".format(
                **rows[-1]
            ),
            flush=True,
        )
    atomic.write_json(args.results / "reference.json", rows)
    return 0 if all(row["inside"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
