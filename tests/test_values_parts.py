"""The parts behind numbers and sets of labels: data, metrics, ways without training, and the TF-IDF baseline."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from tiny_models import TEXTS, tiny_bert
from tiny_tasks import adapt, bare_context, context, question, text_task, trial

from bench import plugins
from bench.data.corpora import python_functions, python_pairs
from bench.data.corpora.python_docs import Docstring
from bench.data.scripts import unspaced
from bench.errors import DataError
from bench.modeling.inference.zero_shot import Settings
from bench.modeling.models.facts import Facts
from bench.tasks.multi_label_classification import MultiLabelClassification
from bench.tasks.text_classification import TextClassification
from bench.tasks.text_regression import TextRegression
from bench.training import tf_idf
from bench.training.cross_validation import best_c, labels_in_all
from bench.training.linear_baseline import ITERATIONS

sets = MultiLabelClassification()
text_classification = TextClassification()
text_regression = TextRegression()

COLUMNS = {"text": "text", "labels": "labels"}
LABELS = ("red", "green", "blue")
label_sets, values = plugins.load("objectives", "label-sets"), plugins.load("objectives", "values")
cosine, entailment_each, own_labels, own_value = (
    plugins.load("zeroshot", name) for name in ("cosine", "entailment-each", "own-labels", "own-value")
)


def data(**columns: Any) -> Any:
    count = len(next(iter(columns.values())))
    return datasets.Dataset.from_dict({"text": [f"text {i}" for i in range(count)], **columns})


@pytest.mark.parametrize(
    "given", [[["blue", "red"], [], ["green"], ["red"]], [[2, 0], [], [1], [0]]], ids=["names", "numbers"]
)
def test_labels_are_read_by_name_or_number(given: Any) -> None:
    found = sets.examples(data(labels=given), COLUMNS, sets.Parameters(labels=LABELS), "here")
    assert found.targets is not None
    assert [row.tolist() for row in found.targets] == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert found.labels.tolist() == [3, 0, 2, 1]  # blue is rarer than red; none is a stratum of its own


def test_a_feature_of_class_labels_names_them() -> None:
    features = datasets.Features({"labels": datasets.List(datasets.ClassLabel(names=list(LABELS)))})
    named = datasets.Dataset.from_dict({"labels": [[2], []]}, features=features)
    assert sets.label_words(named, COLUMNS, sets.Parameters(), "here") == list(LABELS)
    assert sets.label_words(data(labels=[["b"], ["a", "c"]]), COLUMNS, sets.Parameters(), "here") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([["red"], ["pink"]], "here, row 1, column 'labels': label 'pink' is not among labels"),
        (["red", "blue"], r"2 rows \(0, 1\), column 'labels': 'red' is no list of labels; give every example a list"),
        ([["red"], None], "row 1, column 'labels': the label is missing"),
        ([[2], [0, 1, 1]], "row 1, column 'labels': names label 'green' twice"),
    ],
)
def test_labels_that_do_not_fit_are_named(given: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        sets.examples(data(labels=given), COLUMNS, sets.Parameters(labels=LABELS), "here")


def test_lists_of_labels_are_refused_where_one_is_asked_for() -> None:
    columns = {"text": "text", "label": "labels"}
    with pytest.raises(DataError, match="is a list; `kind: multi-label-classification`"):
        text_classification.label_words(data(labels=[["a"], ["b"]]), columns, text_classification.Parameters(), "here")


def test_values_are_stratified_by_their_quantiles() -> None:
    random = np.random.default_rng(0).permutation(100).astype(float)
    found = text_regression.examples(data(value=random), {"text": "text", "value": "value"}, None, "here")  # type: ignore[arg-type]
    assert np.bincount(found.labels).tolist() == [10] * 10
    assert (np.argsort(random)[:10] == np.flatnonzero(found.labels == 0)[np.argsort(random[found.labels == 0])]).all()
    alike = text_regression.examples(data(value=[2, 2, 2]), {"text": "text", "value": "value"}, None, "here")  # type: ignore[arg-type]
    assert len(set(alike.labels.tolist())) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["1,5"], "here, row 0, column 'value': '1,5' is no number; write it with a point"),
        ([1.0, None], "row 1, column 'value': None is no number"),
        ([1.0, float("nan")], "row 1, column 'value': nan is no number"),
        ([-1.0, -1.0], r"every value is -1 \(values that the Hub hides"),
    ],
)
def test_values_that_are_none_are_named(given: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        text_regression.examples(data(value=given), {"text": "text", "value": "value"}, None, "here")  # type: ignore[arg-type]


def test_metrics_of_label_sets_are_scikit_learns() -> None:
    random = np.random.default_rng(1)
    targets, answers = (random.random((40, 5)) < 0.3).astype(np.int8), random.random((40, 5)).astype(np.float32)
    targets[:, 4] = 0
    chosen = (answers >= 0.5).astype(int)
    for name, average in (("micro-f1", "micro"), ("label-macro-f1", "macro")):
        expected = sklearn.metrics.f1_score(targets, chosen, average=average, zero_division=0)
        assert plugins.load("metrics", name).score(targets, answers) == pytest.approx(expected)
    exact = sklearn.metrics.accuracy_score(targets[:2], targets[:2])
    assert plugins.load("metrics", "subset-accuracy").score(targets[:2], targets[:2].astype(float)) == exact
    assert plugins.load("metrics", "subset-accuracy").score(targets, answers) == pytest.approx(
        sklearn.metrics.accuracy_score(targets, chosen)
    )


def test_metrics_of_values_are_scipys_and_scikit_learns() -> None:
    random = np.random.default_rng(2)
    targets = random.normal(size=30)
    answers = targets + random.normal(size=30)
    for name, expected in (
        ("spearman", scipy.stats.spearmanr(targets, answers).statistic),
        ("pearson", scipy.stats.pearsonr(targets, answers).statistic),
        ("mean-squared-error", sklearn.metrics.mean_squared_error(targets, answers)),
        ("mean-absolute-error", sklearn.metrics.mean_absolute_error(targets, answers)),
    ):
        assert plugins.load("metrics", name).score(targets, answers) == pytest.approx(expected)
    for name in ("spearman", "pearson"):
        assert plugins.load("metrics", name).score(targets, np.full(30, 0.1)) == 0.0


def test_objectives_read_their_answers() -> None:
    bad = np.array([[[0.2, np.nan], [0.3, 0.4]]])
    assert label_sets.lost(bad).tolist() == [True, False]
    assert values.lost(np.array([[1.0, np.inf, np.nan]])).tolist() == [False, True, True]
    assert label_sets.constant(np.array([[[0.9, 0.1], [0.7, 0.2]]]))
    assert not label_sets.constant(np.array([[[0.9, 0.1], [0.7, 0.6]]]))
    assert values.constant(np.array([[2.0, 2.0]]))
    assert not values.constant(np.array([[2.0, 3.0]]))
    targets, answers = np.array([[1, 0], [0, 1]], dtype=np.int8), np.array([[[0.9, 0.2], [0.4, 1.0]]])
    assert label_sets.doubt(targets, answers) == pytest.approx(
        sklearn.metrics.log_loss(targets.ravel(), answers.ravel())
    )
    assert values.doubt(np.array([1.0, 3.0]), np.array([[2.0, 5.0]])) == 2.5


def test_probes_are_scikit_learns() -> None:
    random = np.random.default_rng(3)
    features, wanted = random.normal(size=(40, 4)), (random.random((40, 3)) < 0.4).astype(np.int8)
    wanted[:, 2] = 1
    here: Any = SimpleNamespace(examples=lambda split: SimpleNamespace(targets=list(wanted)), labels=list("abc"))
    part: Any = SimpleNamespace(split="train", labels=np.arange(40))
    answers, remarks, linear = label_sets.solve(here, part, features, 0.5, 1000)
    expected = LogisticRegression(C=0.5, max_iter=1000).fit(features, wanted[:, 0]).predict_proba(features)[:, 1]
    np.testing.assert_allclose(answers(features)[0, :, 0], expected, rtol=1e-6)
    assert (answers(features)[0, :, 2] == 1).all()
    assert remarks == ["1 of 3 labels are alike in all training examples: the probe answers so"]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits(features, linear))), answers(features)[0], atol=1e-6)
    here = SimpleNamespace(
        examples=lambda split: SimpleNamespace(targets=(5 + 3 * features[:, 0]).tolist()), parts={"train": part}
    )
    answers, _, linear = values.solve(here, part, features[:, 1:], 1e9, 1000)
    design = np.column_stack([features[:, 1:], np.ones(40)])
    least = design @ np.linalg.lstsq(design, 5 + 3 * features[:, 0], rcond=None)[0]
    np.testing.assert_allclose(answers(features[:, 1:])[0], least, atol=1e-6)
    wanted = 5 + 3 * features[:, 0]
    np.testing.assert_allclose(logits(features[:, 1:], linear)[:, 0] * wanted.std() + wanted.mean(), least, atol=1e-6)


def logits(features: Any, linear: Any) -> Any:
    weights, biases = linear
    return features @ weights.T + biases


@pytest.mark.parametrize("known", [[2], [0, 3], [1, 2, 3]])
def test_a_head_of_classes_answers_as_the_solver_does(known: list[int]) -> None:
    random = np.random.default_rng(4)
    features, labels = random.normal(size=(60, 5)), np.array(known)[np.arange(60) % len(known)]
    here: Any = SimpleNamespace(labels=list("abcd"))
    part: Any = SimpleNamespace(split="train", labels=labels)
    answers, _, linear = plugins.load("objectives", "classes").solve(here, part, features, 0.5, 1000)
    found = logits(features, linear)
    found -= np.log(np.exp(found).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(np.exp(found), np.exp(answers(features)[0]), atol=1e-6)


def test_tf_idf_learns_from_what_the_trial_saw(tmp_path: Path) -> None:
    tiny_bert("BertModel", tmp_path / "model")
    task = text_task(tmp_path)
    for noise in (0.0, 0.4):
        found, _ = context(trial(tmp_path / "model", task, "linear-probe", noise=noise), tmp_path / "r")
        part, test = found.parts["train"], found.parts["test"]
        known = labels_in_all(found)
        assert len(known.indices) > len(part.indices)
        train, asked = ([found.examples(p.split).inputs[i] for i in p.indices] for p in (known, test))
        vectors = TfidfVectorizer(ngram_range=(1, 2), dtype=np.float32)
        features = vectors.fit_transform(train)
        C = best_c(found, known, features, *tf_idf.BOUNDS, ITERATIONS).value
        solver = LogisticRegression(C=C).fit(features, known.labels)
        expected = solver.predict_log_proba(vectors.transform(asked))
        np.testing.assert_allclose(found.objective.baselines(found, test)["tf-idf"]()[0], expected, rtol=1e-5)
        assert (part.wrong > 0) == (noise > 0)
    unlabelled, _ = context(trial(tmp_path / "model", task, "zero-shot"), tmp_path / "r")
    assert set(unlabelled.objective.baselines(unlabelled, unlabelled.parts["test"])) == {"majority"}


def test_scripts_without_spaces_are_told_by_their_letters() -> None:
    assert unspaced(["这部电影很好", "fine"])
    assert unspaced(["とても良い映画でした"])
    assert unspaced(["หนังดีมาก"])
    assert not unspaced(["a good film", "電影 is Chinese"])
    assert not unspaced(["хороший фильм", "좋은 영화"])
    assert not unspaced(["", "12 %"])


def asked(way: Any, folder: Path, inputs: list[Any], labels: list[str], parameters: Any = None) -> np.ndarray:
    """What a way answers."""
    here = bare_context(folder, labels, parameters)
    how = Settings(getattr(parameters, "label_map", {}), torch.device("cpu"), batch_size=3, max_length=60)
    found: np.ndarray = way.answers(here, way.load(here), inputs, way.templates(here), how)
    return found


@torch.inference_mode()
def test_cosine_is_that_of_each_pair(tmp_path: Path) -> None:
    model, tokenizer = tiny_bert("BertModel", tmp_path)
    (tmp_path / "modules.json").write_text(json.dumps([{"path": "pool", "type": "x.Pooling"}]))
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool/config.json").write_text('{"pooling_mode_mean_tokens": true}')
    pairs = list(zip(TEXTS, [*TEXTS[1:], TEXTS[-1]], strict=True))

    def embed(text: str) -> torch.Tensor:
        return model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)

    expected = [float(torch.cosine_similarity(embed(one), embed(other), dim=0)) for one, other in pairs]
    found = asked(cosine, tmp_path, pairs, [])
    assert (found.shape, found.dtype) == ((1, len(pairs)), np.float64)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


@torch.inference_mode()
def test_own_heads_answer_as_they_are(tmp_path: Path) -> None:
    model, tokenizer = tiny_bert("BertForSequenceClassification", tmp_path, num_labels=1)
    pairs = [(text, "a good end") for text in TEXTS]
    expected = [float(model(**tokenizer(*pair, return_tensors="pt")).logits[0, 0]) for pair in pairs]
    np.testing.assert_allclose(asked(own_value, tmp_path, pairs, [])[0], expected, atol=1e-5)
    names = dict(enumerate(["Dark", "light", "dim", "else"]))
    model, tokenizer = tiny_bert("BertForSequenceClassification", tmp_path, id2label=names)
    parameters = sets.Parameters(labels=("light", "dark"), label_map={"dim": "dark"})
    found = asked(own_labels, tmp_path, TEXTS, ["light", "dark"], parameters)[0]
    for row, text in zip(found, TEXTS, strict=True):
        own = model(**tokenizer(text, return_tensors="pt")).logits[0].sigmoid()
        np.testing.assert_allclose(row, [own[1], max(own[0], own[2])], atol=1e-5)


@torch.inference_mode()
def test_each_label_is_entailed_or_contradicted_by_itself(tmp_path: Path) -> None:
    names = dict(enumerate(["contradiction", "neutral", "entailment"]))
    model, tokenizer = tiny_bert("BertForSequenceClassification", tmp_path, id2label=names)
    parameters = sets.Parameters(labels=("good", "bad"), templates=("It was {label}.",))
    found = asked(entailment_each, tmp_path, TEXTS, ["good", "bad"], parameters)
    assert found.shape == (1, len(TEXTS), 2)
    for row, text in zip(found[0], TEXTS, strict=True):
        for answer, label in zip(row, ("good", "bad"), strict=True):
            logits = model(**tokenizer(text, f"It was {label}.", return_tensors="pt")).logits[0]
            assert answer == pytest.approx(float(logits[[0, 2]].softmax(-1)[1]), abs=1e-5)


def test_a_head_that_chooses_one_label_is_not_asked_for_several() -> None:
    config = {"model_type": "bert", "vocab_size": 9, "architectures": ["BertForSequenceClassification"],
              "id2label": {"0": "a", "1": "b"}}  # fmt: skip
    facts = Facts.from_files({"config.json": json.dumps(config)})
    assert own_labels.applies(facts, question(["a", "b"])) is None
    one = Facts.from_files({"config.json": json.dumps({**config, "problem_type": "single_label_classification"})})
    assert own_labels.applies(one, question(["a", "b"])) == "its head was trained to choose one label"
    assert "no sequence-classification head of one output" in str(own_value.applies(facts, question()))
    assert "contradiction" in str(entailment_each.applies(facts, question(["a"]))) or "entailment" in str(
        entailment_each.applies(facts, question(["a"]))
    )


def test_what_a_function_does_is_read_from_its_code() -> None:
    source = """
def f(self):
    '''Say.'''
    for x in y:
        self.x = 1
    def inner():
        raise E
    return

def g():
    try:
        return [x for x in y]
    except E:
        raise
"""
    first, second = ast.parse(source).body
    names = [[python_functions.LABELS[n] for n in python_functions.does(f)] for f in (first, second)]  # type: ignore[arg-type]
    assert names == [["loops", "stores"], ["returns", "raises", "loops", "catches"]]


def test_pairs_are_as_near_as_they_say() -> None:
    docs = [
        Docstring(module, f"{module}:C{c}", f"{module} {c} {m}")
        for module in ("email/a", "email/b", "csv", "json/x") for c in range(4) for m in range(4)
    ]  # fmt: skip
    pairs = python_pairs._pairs(docs)
    assert len(pairs) == len(docs)
    assert {value for _, _, value in pairs} == {0.0, 1.0, 2.0, 3.0}
    area = {"email/a": "email", "email/b": "email", "csv": "markup", "json/x": "markup"}
    for one, other, value in pairs:
        (module, c, _), (module2, c2, _) = one.split(), other.split()
        near = [area[module] == area[module2], module == module2, (module, c) == (module2, c2)]
        assert one != other
        assert sum(near) == value


def test_the_linear_probe_still_answers_with_log_probabilities(tmp_path: Path) -> None:
    tiny_bert("BertModel", tmp_path / "model")
    found, _, adapted = adapt(trial(tmp_path / "model", text_task(tmp_path), "linear-probe"), tmp_path / "r")
    answers = adapted.predict(found.parts["test"]).answers
    assert (answers.shape, answers.dtype) == ((1, len(found.parts["test"].indices), 2), np.float32)
    np.testing.assert_allclose(np.exp(answers).sum(-1), 1, rtol=1e-5)
