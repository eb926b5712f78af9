"""Few-shot: which examples stand in the prompt, and each way against its formula written out, on tiny models."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import LABELS, TEMPLATES, TEXTS, longer, tiny_bert, tiny_causal, wordpiece
from tiny_tasks import adapt, order, text_task, trial
from zeroshot_answers import answer, by_hand, softmaxed

from bench import zeroshot
from bench.errors import NotApplicable
from bench.modeling.models.facts import Facts
from bench.modeling.prompts import few_shot_examples as shots
from bench.modeling.prompts import fill_template
from bench.planning.plan import Question
from bench.regimes.few_shot import Parameters, chosen, resolve
from bench.suite.trial import Json
from bench.trial.run import run
from bench.zeroshot import cloze, likelihood

SHOTS = [("dull", "bad"), ("a good joy", "good"), ("the end", "very good")]


def test_examples_are_taken_in_turn_from_each_class() -> None:
    classes = np.array([0, 2, 0, 0, 1, 2, 1, 0])
    assert chosen(classes, 4).tolist() == [0, 1, 4, 2]
    assert chosen(classes, 6).tolist() == [0, 1, 4, 2, 5, 6]
    assert chosen(classes, 99).tolist() == [0, 1, 4, 2, 5, 6, 3, 7]
    assert chosen(np.zeros(5, dtype=np.int64), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("prior", [False, True])
@torch.inference_mode()
def test_likelihood_reads_the_shots_first(prior: bool, tmp_path: Path) -> None:
    model, tokenizer = tiny_causal("llama", tmp_path)
    model = longer(model, tmp_path)
    templates = [TEMPLATES[0], "{text}\nLabel: {label}"]

    def score(template: str, text: str, label: str) -> float:
        before = "".join(template.replace("{text}", t).replace("{label}", name) + "\n\n" for t, name in SHOTS)
        stem = before + template[: template.index(" {label}")].replace("{text}", text).strip()
        ids, own = tokenizer(stem)["input_ids"], tokenizer(" " + label)["input_ids"]
        each = model(torch.tensor([ids + own])).logits[0].log_softmax(-1)
        return float(sum(each[len(ids) + i - 1, token] for i, token in enumerate(own)) / len(own))

    def judged(template: str, text: str, label: str) -> float:
        return score(template, text, label) - (score(template, "", label) if prior else 0.0)

    expected = [by_hand(partial(judged, template)) for template in templates]
    found = answer(likelihood, tmp_path, TEXTS, LABELS, templates, shots=SHOTS, prior=prior)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not np.allclose(found, answer(likelihood, tmp_path, TEXTS, LABELS, templates, prior=prior), atol=1e-3)


@torch.inference_mode()
def test_cloze_reads_the_shots_first(tmp_path: Path) -> None:
    model, tokenizer = tiny_bert("BertForMaskedLM", tmp_path)
    texts, examples = TEXTS[:4], [*SHOTS[:1], ("a [MASK] film", "good")]
    found = answer(cloze, tmp_path, texts, LABELS, TEMPLATES[:2], shots=examples)
    for number, template in enumerate(TEMPLATES[:2]):
        filled = [template.replace("{text}", t.replace("[MASK]", "")).replace("{label}", name) for t, name in examples]
        for row, text in enumerate(texts):
            scores = []
            for label in LABELS:
                wanted = tokenizer(label, add_special_tokens=False)["input_ids"]
                asked = template.replace("{label}", "[MASK]" * len(wanted)).replace("{text}", text)
                ids = torch.tensor([tokenizer("\n\n".join([*filled, asked]))["input_ids"]])
                assert ids.shape[1] < 60
                places = (ids[0] == tokenizer.mask_token_id).nonzero()[:, 0]
                each = model(ids).logits[0].log_softmax(-1)[places]
                scores.append(float(sum(each[i, token] for i, token in enumerate(wanted)) / len(wanted)))
            np.testing.assert_allclose(found[number][row], softmaxed([scores])[0], atol=1e-5)


def test_the_shots_are_cut_before_the_asked_text(tmp_path: Path) -> None:
    tokenizer = wordpiece(tmp_path)
    examples, template = [("dull " * 30, "bad"), ("joy", "good")], "{text} is {label}"
    wrap = partial(fill_template.fill, template, label="good")
    asked = ["the film " * 6, "a joy", "the film " * 30]
    found = shots.ask(tokenizer, examples, template, asked, wrap, 30, 40)
    lengths = [len(tokenizer(before + wrap(text))["input_ids"]) for before, text in found]
    assert all(length <= 40 for length in lengths)
    assert found[0][1] == asked[0]
    assert found[1] == (shots.ask(tokenizer, examples, template, [""], wrap, 30, 99)[0][0], "a joy")
    assert found[0][0].count("dull") < found[1][0].count("dull") == 26
    assert "joy is good\n\n" in found[0][0]
    assert len(tokenizer(wrap(found[2][1]))["input_ids"]) > 25  # its own limit is 30
    with pytest.raises(NotApplicable, match="2 examples in a prompt take more than the 7 tokens there is room for"):
        shots.ask(tokenizer, examples, template, asked, wrap, 7, 7)


def _facts(**config: Any) -> Facts:
    return Facts.from_files({"config.json": json.dumps({"vocab_size": 9, **config})})


def test_a_way_that_takes_no_examples_is_passed_over() -> None:
    question = Question("classes", "text", ["NEG", "POS"], {})
    sorts = _facts(architectures=["BertForSequenceClassification"], id2label={"0": "NEG", "1": "POS"})
    assert zeroshot.choose(sorts, "text", question.labels, {}) == ("own-head", None)
    with pytest.raises(NotApplicable, match=r"from examples in a prompt \(own-head: it takes no"):
        resolve(sorts, question, Parameters())
    with pytest.raises(NotApplicable, match="it takes no examples in a prompt"):
        resolve(sorts, question, Parameters(way="own-head"))
    with pytest.raises(NotApplicable, match="likelihood answers with classes, the task asks for texts"):
        resolve(sorts, question._replace(gives="texts"), Parameters(way="likelihood"))
    with pytest.raises(NotApplicable, match="nothing answers with songs"):
        resolve(sorts, question._replace(gives="songs"), Parameters())
    for gives, way in (("tags", "own-tags"), ("values", "own-value"), ("label-sets", "own-labels"),
                       ("likelihoods", "as-is-lm")):  # fmt: skip
        with pytest.raises(NotApplicable, match=rf"\(.*{way}: it takes no examples in a prompt[;)]"):
            resolve(sorts, question._replace(gives=gives), Parameters())
    assert resolve(_facts(architectures=["GPT2LMHeadModel"], model_type="gpt2"), question, Parameters()) == {
        "way": "likelihood", "way_version": likelihood.VERSION,
    }  # fmt: skip


def few_shot(model: Path, task: tuple[Json, Json], way: str, **changes: Any) -> Any:
    made = trial(model, task, "few-shot", changes.pop("parameters", {}), **changes)
    made.regime.update({"way": way, "way_version": 1})
    return made


def test_shots_come_from_the_train_part_noise_and_all(tmp_path: Path) -> None:
    model = longer(tiny_causal("gpt2", tmp_path / "model")[0], tmp_path / "model")
    assert model.config.n_positions > 64
    task, found = text_task(tmp_path), {}
    for seed, noise, size in ((0, 0.0, 32), (0, 0.0, "all"), (1, 0.0, 32), (0, 0.9, 32), (0, 0.0, 4)):
        made = few_shot(tmp_path / "model", task, "likelihood", seed=seed, noise=noise, size=size)
        job, adapted = adapt(made, tmp_path / f"r{seed}{noise}{size}")
        part = job.parts["train"]
        known = dict(zip(part.indices.tolist(), part.labels.tolist(), strict=True))
        inputs = job.examples("train").inputs
        rows = [list(inputs).index(text) for text, _ in job.shots]
        assert [job.labels[known[row]] for row in rows] == [label for _, label in job.shots]
        assert (adapted.trainable, adapted.stored_bytes) == (0, 0)
        found[seed, noise, size] = job.shots
    first = found[0, 0.0, 32]
    assert [label for _, label in first] in (["good", "bad"] * 2, ["bad", "good"] * 2)
    assert found[0, 0.0, "all"] == first != found[1, 0.0, 32]
    noisy = found[0, 0.9, 32]
    assert [text for text, _ in noisy] == [text for text, _ in first]
    assert noisy != first
    assert found[0, 0.0, 4] == first[: len(found[0, 0.0, 4])]


def test_a_record_says_what_was_asked(tmp_path: Path) -> None:
    longer(tiny_causal("gpt2", tmp_path / "model")[0], tmp_path / "model")
    task = text_task(tmp_path)
    records = []
    for k in (2, 99):
        record: Json = {}
        made = few_shot(tmp_path / "model", task, "likelihood", parameters={"k": k}, size=8)
        run(order(made, tmp_path / f"results{k}"), torch.device("cpu"), 1, lambda *at: None, record)
        records.append(record)
    facts = records[0]["facts"]
    assert facts["templates"] == list(likelihood.TEMPLATES)
    assert facts["labels"] == ["good", "bad"]
    assert (facts["shots"], facts["method"]) == (2, "likelihood")
    assert {"tokenise", "train"}.isdisjoint(records[0]["costs"]["seconds"])
    assert len(records[0]["scores"]["templates"]["accuracy"]) == 3
    assert "accuracy" in records[0]["scores"]["validation"]
    kept = records[1]["facts"]["train_examples"]
    assert records[1]["facts"]["shots"] == kept
    assert f"{kept} examples stand in the prompt, not 99: there are no more" in records[1]["facts"]["notes"]
