"""A record's scores are those of the field's own tools on the predictions kept beside it, from trials that ran."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import seqeval.metrics
import sklearn.metrics
from click.testing import CliRunner
from nltk.tokenize import NLTKWordTokenizer
from nltk.translate.meteor_score import meteor_score
from pyarrow import parquet
from rouge_score.rouge_scorer import RougeScorer
from tiny_models import tiny_bert, tiny_seq2seq
from tiny_tasks import write_texts

from bench.cli import main
from bench.store import paths, records

Table = dict[str, list[Any]]
SUITE = """\
name: s
models: {bert: {folder: bert}, marian: {folder: marian}}
tasks:
  class: {kind: text-classification, data: {files: {train: train.csv, test: test.csv}}, max_length: 32,
          metrics: [accuracy, macro-f1, matthews, brier]}
  tags: {kind: token-classification, data: {files: tags.jsonl}, splits: {test: 0.4}, max_length: 24}
  text: {kind: translation, data: {files: text.jsonl}, splits: {test: 0.4}, max_source: 24, max_target: 16,
         decoding: {max_new_tokens: 10}, metrics: [bleu, chrf, rouge1, rouge2, rouge-l, meteor],
         also_test: {more: {data: {files: {test: more.jsonl}}}}}
  chinese: {kind: translation, data: {files: chinese.jsonl}, splits: {test: 0.4}, max_source: 24, max_target: 24,
            decoding: {max_new_tokens: 20}, metrics: [bleu-zh, chrf]}
  question: {kind: question-answering, data: {files: question.jsonl}, splits: {test: 0.4}, max_length: 32, stride: 8,
             metrics: [token-f1, exact-match]}
  number: {kind: text-regression, data: {files: number.jsonl}, splits: {test: 0.4}, metrics: [spearman, pearson]}
regimes: {full: {learning_rate: 0.01}, retrain: {learning_rate: 0.01}}
sizes: [20]
seeds: 1
tuning: null
budget: {steps: 100}
training: {batch_size: 8, dropout: 0}
"""


def write(folder: Path) -> None:
    """Models and data; what is to be written is in the source, so that some of it is learnt."""
    (folder / "bert").mkdir()
    (folder / "marian").mkdir()
    tiny_bert("BertForMaskedLM", folder / "bert")
    tiny_seq2seq("marian", folder / "marian")
    write_texts(folder / "train.csv", 40, 0)
    write_texts(folder / "test.csv", 20, 1)
    words = {"the": "O", "film": "B-film", "long": "I-film", "end": "B-end", "joy": "O"}
    names = ("tags", "text", "more", "chinese", "question", "number")
    lines: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for i in range(50):
        row = [list(words)[(i * k + k) % 5] for k in (1, 2, 3, i % 4 + 1)]
        lines["tags"].append({"tokens": [*row, str(i)], "tags": [*(words[word] for word in row), "O"]})
        lines["text"].append({"source": f"{i} good", "target": f"the film is a joy from start to end {i % 3}"})
        lines["more"].append({"source": f"more {i}", "target": f"the film is dull {i % 3}"})
        lines["chinese"].append({"source": f"{i} good", "target": f"今天很好 {i % 2}"})
        said = f"{row[0]} film is a joy {i}"
        answers = {"text": ["a joy", "film is a joy"], "answer_start": [said.index("a joy"), said.index("film is")]}
        lines["question"].append({"question": "what is it", "context": said, "answers": answers})
        lines["number"].append({"text": " ".join([*row, str(i)]), "value": row.count("film") + len(row) / 10})
    for name, found in lines.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found))
    (folder / "s.yaml").write_text(SUITE)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[dict[str, float], Table]]]:
    """By task: what each record says, and its predictions."""
    home = tmp_path_factory.mktemp("home")
    write(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("BENCH_CACHE", str(home / "cache"))
        done = CliRunner().invoke(main, ["run", str(home / "s.yaml"), "--results", str(home / "r"), "--devices", "cpu"])
    assert done.exit_code == 0, done.output
    found: dict[str, list[tuple[dict[str, float], Table]]] = {}
    for record in records.read(home / "r/s").records:
        for name in ("", *record["scores"].get("also_test", {})):
            scores = record["scores"]["also_test"][name] if name else record["scores"]["test"]
            place = paths.predictions(home / "r/s", record["trial"]["id"], record["attempt"], name)
            task = record["trial"]["names"]["task"]
            found.setdefault(task, []).append((scores, parquet.read_table(place).to_pydict()))
    return found


def sacrebleu(metric: str, *options: str) -> Callable[[Table, Path], float]:
    """What SacreBLEU's own command prints."""

    def run(table: Table, folder: Path) -> float:
        (folder / "hyp").write_text("".join(f"{text}\n" for text in table["answer"]))
        (folder / "ref").write_text("".join(f"{texts[0]}\n" for texts in table["references"]))
        command = [sys.executable, "-m", "sacrebleu", "ref", "-i", "hyp", "-m", metric, "-b", "-w", "6", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        return float(done.stdout)

    return run


def rouge(kind: str) -> Callable[[Table, Path], float]:
    """The mean of rouge-score's F1."""
    scorer = RougeScorer([kind], use_stemmer=True)
    return lambda table, _: float(
        np.mean(
            [scorer.score(r[0], a)[kind].fmeasure for r, a in zip(table["references"], table["answer"], strict=True)]
        )
    )


class NoSynonyms:
    def synsets(self, word: str) -> list[Any]:
        return []


def meteor(table: Table, folder: Path) -> float:
    """The mean of NLTK's."""
    words = NLTKWordTokenizer().tokenize
    pairs = zip(table["references"], table["answer"], strict=True)
    return float(np.mean([meteor_score([words(r[0])], words(a), wordnet=NoSynonyms()) for r, a in pairs]))


def entities(table: Table, folder: Path) -> float:
    """The micro average of seqeval's report."""
    report = seqeval.metrics.classification_report(table["tags"], table["answer"], output_dict=True, zero_division=0)
    return float(report["micro avg"]["f1-score"])


def squad(metric: str) -> Callable[[Table, Path], float]:
    """torchmetrics' port of SQuAD's own script, which counts in hundredths."""

    def run(table: Table, folder: Path) -> float:
        from torchmetrics.functional.text import squad

        answers = [{"id": str(i), "prediction_text": text} for i, text in enumerate(table["answer"])]
        wanted = [
            {"id": str(i), "answers": {"text": texts, "answer_start": [0] * len(texts)}}
            for i, texts in enumerate(table["references"])
        ]
        return float(squad(answers, wanted)[metric]) / 100

    return run


def correlated(score: Callable[..., Any]) -> Callable[[Table, Path], float]:
    """SciPy's."""
    return lambda table, _: float(score(table["value"], table["answer"]).statistic)


def chosen(score: Callable[..., float], **options: Any) -> Callable[[Table, Path], float]:
    """scikit-learn's on the likeliest classes."""
    return lambda table, _: float(score(table["label"], np.argmax(table["log_probabilities"], axis=1), **options))


def brier(table: Table, folder: Path) -> float:
    """scikit-learn's of two classes counts one of them."""
    return 2 * float(sklearn.metrics.brier_score_loss(table["label"], np.exp(table["log_probabilities"])[:, 1]))


JUDGES: list[tuple[str, str, Callable[[Table, Path], float]]] = [
    ("class", "accuracy", chosen(sklearn.metrics.accuracy_score)),
    ("class", "macro-f1", chosen(sklearn.metrics.f1_score, average="macro")),
    ("class", "matthews", chosen(sklearn.metrics.matthews_corrcoef)),
    ("class", "brier", brier),
    ("tags", "entity-f1", entities),
    ("text", "bleu", sacrebleu("bleu")),
    ("text", "chrf", sacrebleu("chrf")),
    ("text", "rouge1", rouge("rouge1")),
    ("text", "rouge2", rouge("rouge2")),
    ("text", "rouge-l", rouge("rougeL")),
    ("text", "meteor", meteor),
    ("chinese", "bleu-zh", sacrebleu("bleu", "--tokenize", "zh")),
    ("chinese", "chrf", sacrebleu("chrf")),
    ("question", "token-f1", squad("f1")),
    ("question", "exact-match", squad("exact_match")),
    ("number", "spearman", correlated(scipy.stats.spearmanr)),
    ("number", "pearson", correlated(scipy.stats.pearsonr)),
]
"""A row a metric: (task, metric, what another tool says of its predictions)."""


@pytest.mark.parametrize(("task", "metric", "judge"), JUDGES, ids=[f"{task}-{metric}" for task, metric, _ in JUDGES])
def test_the_score_is_that_of_the_fields_own_tool(
    task: str,
    metric: str,
    judge: Callable[[Table, Path], float],
    tables: dict[str, list[tuple[dict[str, float], Table]]],
    tmp_path: Path,
) -> None:
    found = [(scores[metric], judge(table, tmp_path)) for scores, table in tables[task]]
    assert len(found) >= 2
    assert any(own != 0 for own, _ in found), "nothing was learnt, and so nothing is compared"
    for own, other in found:
        assert own == pytest.approx(other, abs=1e-5)
