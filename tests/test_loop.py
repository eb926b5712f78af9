"""The training loop against a plain torch loop and against transformers' Trainer, and what it promises besides."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers
from tiny_models import tiny_bert, tiny_causal
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.errors import Diverged
from bench.modeling.encoding.arrays import Pixels, Tokens
from bench.modeling.heads.classifier import Classifier
from bench.modeling.models.loading import classifier
from bench.probes import flops
from bench.suite.parameters import Budget, Training
from bench.training.loop import optimizer_for, train
from bench.training.loss import cross_entropy
from bench.training.sampler import endless, epoch
from bench.training.state import Best, Fit

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
CPU = torch.device("cpu")
STEPS, SIZE, RATE = 50, 8, 3e-3
TRAINING = Training(batch_size=SIZE, dropout=0.0)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    tiny_bert("BertModel", folder)
    return folder


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    random = np.random.default_rng(0)
    lengths = random.integers(3, 20, 60)
    ids = random.integers(5, 60, lengths.sum()).astype(np.int32)
    return Tokens(ids, np.zeros_like(ids), np.concatenate([[0], np.cumsum(lengths)]), 0)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT in which, as in real ones, most of the work is in its linear layers."""
    folder = tmp_path_factory.mktemp("wide")
    config = transformers.BertConfig(
        vocab_size=89, hidden_size=96, num_hidden_layers=2, num_attention_heads=2, intermediate_size=384
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


LABELS = np.random.default_rng(1).integers(0, 3, 60)


def build(folder: Path, kind: str) -> Classifier:
    """The same model, to the bit, whenever it is asked for."""
    model = classifier(
        folder, classes=3, pooling="mean", modality="text", pretrained=kind != "retrain", seed=3, dropout=0.0
    )
    if kind == "lora":
        torch.manual_seed(4)
        model.backbone = peft.get_peft_model(model.backbone, peft.LoraConfig(r=4, target_modules="all-linear"))
    return model


def batches(tokens: Tokens) -> Iterator[np.ndarray]:
    return endless(tokens.lengths, SIZE, 5)


def fit(model: nn.Module, tokens: Any, budget: Budget | None = None, **changes: Any) -> Fit:
    options: dict[str, Any] = {
        "budget": budget or Budget(steps=STEPS), "training": TRAINING, "learning_rate": RATE, "micro_batch": SIZE,
        "device": CPU,
    }  # fmt: skip
    goal = cross_entropy(lambda p: tokens.batch(p, CPU), LABELS, tokens.lengths, CPU)
    return train(model, goal, batches(tokens), **(options | changes))


def plain_losses(model: nn.Module, tokens: Tokens) -> list[float]:
    """What a textbook writes: AdamW by hand, warm-up over five steps and then down to nothing, clipping."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    first = [torch.zeros_like(p) for p in parameters]
    second = [torch.zeros_like(p) for p in parameters]
    stream, losses = batches(tokens), []
    model.train()
    for step in range(STEPS):
        batch = next(stream)
        loss = nn.functional.cross_entropy(model(tokens.batch(batch, CPU)), torch.from_numpy(LABELS[batch]))
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        losses.append(loss.item())
        norm = torch.sqrt(sum(((g**2).sum() for g in gradients if g is not None), torch.zeros(())))
        rate = RATE * (step / 5 if step < 5 else (STEPS - step) / (STEPS - 5))
        with torch.no_grad():
            for p, g, m, v in zip(parameters, gradients, first, second, strict=True):
                if g is None:
                    continue
                g = g * min(1.0, 1.0 / (float(norm) + 1e-6))
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g**2)
                decay = 0.01 if p.ndim >= 2 else 0.0
                p.mul_(1 - rate * decay)
                p.sub_(rate * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8))
    return losses


class WithLoss(nn.Module):
    """A classifier as transformers' Trainer wants one."""

    def __init__(self, inner: Classifier) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, labels: Tensor, **batch: Tensor) -> dict[str, Tensor]:
        logits = self.inner(batch)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def trainer_losses(model: Classifier, tokens: Tokens, folder: Path) -> list[float]:
    """The losses that transformers' Trainer logs, over the same batches in the same order."""
    stream = batches(tokens)
    ready = []
    for _ in range(STEPS):
        batch = next(stream)
        ready.append({**tokens.batch(batch, CPU), "labels": torch.from_numpy(LABELS[batch])})

    class Ordered(transformers.Trainer):
        def get_train_dataloader(self) -> Any:
            return ready

    arguments = transformers.TrainingArguments(
        output_dir=str(folder), max_steps=STEPS, learning_rate=RATE, weight_decay=0.01, warmup_steps=5,
        lr_scheduler_type="linear", max_grad_norm=1.0, logging_steps=1, logging_strategy="steps", report_to=[],
        save_strategy="no", use_cpu=True, disable_tqdm=True, per_device_train_batch_size=SIZE,
    )  # fmt: skip
    trainer = Ordered(WithLoss(model), arguments, train_dataset=ready)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("kind", ["full", "lora", "retrain"])
def test_losses_equal_those_of_a_plain_loop_and_of_transformers_trainer(
    kind: str, bert: Path, tokens: Tokens, tmp_path: Path
) -> None:
    ours = fit(build(bert, kind), tokens).losses
    assert len(ours) == STEPS
    assert np.std(ours) > 0.02  # the weights moved, so the equality means something
    assert ours == pytest.approx(plain_losses(build(bert, kind), tokens), abs=1e-4)
    assert ours == pytest.approx(trainer_losses(build(bert, kind), tokens, tmp_path), abs=1e-4)


def test_the_comparison_sees_a_wrong_learning_rate(bert: Path, tokens: Tokens) -> None:
    wrong = fit(build(bert, "full"), tokens, learning_rate=1.02 * RATE).losses
    assert wrong != pytest.approx(plain_losses(build(bert, "full"), tokens), abs=1e-4)


def test_gradient_accumulation_changes_nothing_but_the_micro_batch(bert: Path, tokens: Tokens) -> None:
    whole, parts = build(bert, "full"), build(bert, "full")
    first, second = fit(whole, tokens), fit(parts, tokens, micro_batch=3)
    assert second.losses == pytest.approx(first.losses, abs=1e-5)


def test_an_epoch_takes_every_example_once_and_batches_like_lengths(tokens: Tokens) -> None:
    taken = epoch(tokens.lengths, SIZE, np.random.default_rng(0))
    assert sorted(np.concatenate(taken)) == list(range(60))
    assert [len(batch) for batch in sorted(taken, key=len)] == [4] + [8] * 7
    padding = sum(int(tokens.lengths[b].max()) * len(b) - int(tokens.lengths[b].sum()) for b in taken)
    assert padding < 0.15 * tokens.lengths.sum()


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (Budget(steps=7), 7),
        (Budget(epochs=2, min_steps=1), 16),
        (Budget(epochs=1.5, min_steps=1), 12),
        (Budget(epochs=1, min_steps=11), 11),
    ],
)
def test_a_budget_in_steps_or_epochs_is_kept_exactly(budget: Budget, steps: int, bert: Path, tokens: Tokens) -> None:
    done = fit(build(bert, "full"), tokens, budget)
    assert done.steps == len(done.losses) == steps
    assert len(done.times.seconds()) == steps


def test_a_budget_in_seconds_ends_soon_after_it(bert: Path, tokens: Tokens) -> None:
    begun = time.perf_counter()
    done = fit(build(bert, "full"), tokens, Budget(seconds=0.5))
    assert done.steps > 3
    assert 0.5 <= time.perf_counter() - begun < 2


def test_a_budget_in_flops_is_spent_to_within_a_step(bert: Path, tokens: Tokens) -> None:
    model = build(bert, "full")
    per_step = fit(model, tokens, Budget(steps=10)).flops / 10
    done = fit(model, tokens, Budget(flops=20 * per_step))
    assert 20 * per_step <= done.flops <= 22 * per_step
    assert 15 <= done.steps <= 25


def test_until_convergence_stops_by_patience_and_keeps_the_best_weights(bert: Path, tokens: Tokens) -> None:
    model, seen = build(bert, "full"), []
    scripted = iter([3.0, 2.0, 1.0, 1.5, 1.2, 1.0, 0.5])

    def validate() -> float:
        model.eval()
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(scripted)

    done = fit(model, tokens, Budget(until="converged", patience=3, min_steps=10), validate=validate)
    assert [step for step, _ in done.validations] == [8, 16, 24, 32, 40, 48]
    assert done.steps == 48
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, seen[2][name])
    assert not torch.equal(seen[2]["head.weight"], seen[5]["head.weight"])


@pytest.mark.parametrize("lost", ["nan", "inf"])
def test_a_validation_loss_that_is_no_finite_number_is_divergence(lost: str, bert: Path, tokens: Tokens) -> None:
    scripted = iter([3.0, float(lost), 1.0, 1.0, 1.0, 1.0])
    budget = Budget(until="converged", patience=3, min_steps=10)
    with pytest.raises(Diverged, match=f"the validation loss was {lost} at step 16"):
        fit(build(bert, "full"), tokens, budget, validate=lambda: next(scripted))


def test_until_convergence_ends_at_the_latest_with_its_epochs(bert: Path, tokens: Tokens) -> None:
    falling = iter(np.linspace(9, 1, 50))
    budget = Budget(until="converged", max_epochs=3)
    assert fit(build(bert, "full"), tokens, budget, validate=lambda: float(next(falling))).steps == 24


def test_the_best_of_nothing_is_what_is_there() -> None:
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    Best(model, 3).restore()
    assert torch.equal(model.weight, before)


def test_a_loss_that_is_no_number_any_more_is_divergence_named_with_its_step(bert: Path, tokens: Tokens) -> None:
    with pytest.raises(Diverged, match=r"the training loss was (nan|inf) at step \d+"):
        fit(build(bert, "full"), tokens, Budget(steps=150), learning_rate=1e38)


def test_biases_and_normalisation_are_not_decayed(bert: Path) -> None:
    model = build(bert, "full")
    decayed, free = optimizer_for(model, 1e-3, 0.1).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    names = {id(p): name for name, p in model.named_parameters()}
    assert all("bias" in names[id(p)] or "LayerNorm" in names[id(p)] for p in free["params"])
    assert not any("bias" in names[id(p)] or "LayerNorm" in names[id(p)] for p in decayed["params"])
    assert len(decayed["params"]) + len(free["params"]) == len(names)


def test_sgd_steps_as_torch_does(bert: Path, tokens: Tokens) -> None:
    ours, theirs = (build(bert, "full") for _ in range(2))
    one, other = optimizer_for(ours, 1e-2, 0.0, "sgd"), torch.optim.SGD(theirs.parameters(), 1e-2, momentum=0.9)
    for model, optimizer in ((ours, one), (theirs, other)):
        for _ in range(3):
            torch.manual_seed(0)
            model(tokens.batch(np.arange(4), torch.device("cpu"))).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_sgd_trains_what_adamw_does(bert: Path, tokens: Tokens) -> None:
    training = TRAINING.model_copy(update={"optimizer": "sgd"})
    losses = fit(build(bert, "full"), tokens, Budget(steps=30), learning_rate=3e-2, training=training).losses
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


class Syncs(TorchDispatchMode):
    """Counts what makes the host wait for a device: reading a tensor's value."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket._qualified_op_name
        self.count += name in ("aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero", "aten::equal")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["full", "lora", "decoder"])
def test_no_step_waits_for_the_device(kind: str, bert: Path, tokens: Tokens, tmp_path: Path) -> None:
    if kind == "decoder":
        tiny_causal("gpt2", tmp_path)
        tokens = Tokens(tokens.ids, None, tokens.offsets, 0)
    model, counts = build(tmp_path if kind == "decoder" else bert, kind), []
    with Syncs() as syncs:
        fit(model, tokens, Budget(steps=6), tick=lambda done, total: counts.append(syncs.count), micro_batch=3)
        assert torch.ones(1).item() == 1  # the count can rise
        assert syncs.count > counts[-1]
    assert counts[1:] == [counts[0]] * 5  # the first step is watched by the flop counter
    assert counts[0] == 0


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.BatchNorm2d(3).requires_grad_(False)
        self.free = nn.BatchNorm2d(3)

    def forward(self, pixel_values: Tensor) -> Any:
        states = self.free(self.frozen(pixel_values))
        return transformers.modeling_outputs.BaseModelOutput(last_hidden_state=states)


def test_frozen_batch_normalisation_keeps_its_statistics() -> None:
    random = np.random.default_rng(0)
    pixels = Pixels(random.integers(0, 256, (60, 3, 4, 4), dtype=np.uint8), 1 / 255, [0.2] * 3, [0.3] * 3)
    model = Classifier(Normed(), "mean", 3, 0.0, width=3)
    fit(model, pixels, Budget(steps=5))
    normed = model.backbone
    assert isinstance(normed, Normed)
    assert torch.equal(normed.frozen.running_mean, torch.zeros(3))
    assert torch.equal(normed.frozen.running_var, torch.ones(3))
    assert not torch.equal(normed.free.running_mean, torch.zeros(3))


def test_flops_of_a_linear_model_are_those_on_paper() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(48, 32), nn.Linear(32, 3)

        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            logits: Tensor = self.second(self.first(batch["pixel_values"].flatten(1)))
            return logits

    random = np.random.default_rng(0)
    pixels = Pixels(random.integers(0, 256, (64, 3, 4, 4), dtype=np.uint8), 1 / 255, [0.2] * 3, [0.3] * 3)
    done = train(
        Flat(), cross_entropy(lambda p: pixels.batch(p, CPU), np.zeros(64, np.int64), pixels.lengths, CPU),
        endless(pixels.lengths, SIZE, 0), budget=Budget(steps=10), training=TRAINING, learning_rate=RATE,
        micro_batch=SIZE, device=CPU,
    )  # fmt: skip
    forward = 2 * SIZE * (48 * 32 + 32 * 3)
    assert done.flops == 10 * (forward + forward + 2 * SIZE * 32 * 3)  # no gradient of the pixels


def test_lora_is_not_charged_as_full_fine_tuning(wide: Path, tokens: Tokens) -> None:
    full, lora = (fit(build(wide, kind), tokens, Budget(steps=3)).flops for kind in ("full", "lora"))
    assert lora < 0.8 * full


def test_flops_over_batches_of_all_lengths_are_close_to_a_count_of_every_step(wide: Path, tokens: Tokens) -> None:
    done = fit(build(wide, "full"), tokens, Budget(steps=16))
    model, stream = build(wide, "full"), batches(tokens)
    with flops.count() as counted:
        for _ in range(16):
            batch = next(stream)
            nn.functional.cross_entropy(model(tokens.batch(batch, CPU)), torch.from_numpy(LABELS[batch])).backward()
    assert done.flops == pytest.approx(counted.flops, rel=0.1)


def test_what_was_seen_is_counted_without_padding(bert: Path, tokens: Tokens) -> None:
    done = fit(build(bert, "full"), tokens, Budget(epochs=2, min_steps=1))
    assert (done.examples, done.tokens) == (120, 2 * int(tokens.lengths.sum()))
