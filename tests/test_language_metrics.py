"""Metrics of tags, texts, values and likelihoods against the libraries they come from, and at their edges."""

from __future__ import annotations

import itertools
import math
from itertools import groupby
from typing import Any

import numpy as np
import pytest
import sacrebleu
import scipy.stats
import seqeval.metrics
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer
from nltk.tokenize import NLTKWordTokenizer
from nltk.translate.meteor_score import meteor_score
from rouge_score.rouge_scorer import RougeScorer

from bench import plugins

bits_per_byte, perplexity, entity_f1, pearson, spearman = (
    plugins.load("metrics", name) for name in ("bits-per-byte", "perplexity", "entity-f1", "pearson", "spearman")
)
exact_match, token_f1, meteor = (plugins.load("metrics", name) for name in ("exact-match", "token-f1", "meteor"))
TEXTS = plugins.names("metrics")
TEXTS = [name for name in TEXTS if plugins.load("metrics", name).TAKES == "texts" and name != "bertscore"]
REFERENCES = [
    ["The cats sat on the mat.", "A cat was sitting there, on a mat."],
    ["It was raining heavily, so we stayed."],
    ["Running water is cold.", "Cold water ran.", "The water runs cold."],
    ["今天天气很好，我们去公园。"],
    ["Nobody answered."],
]
ANSWERS = [
    "A cat sat on the mats.",
    "It rained, so we stayed at home.",
    "The water running is cold.",
    "今天天气好，去公园。",
    "",
]
SQUAD = ("exact-match", "exact-match-char", "token-f1", "token-f1-char")
STREAMS = [[texts[i] if i < len(texts) else None for texts in REFERENCES] for i in range(3)]


def score(name: str, targets: Any = REFERENCES, answers: Any = ANSWERS) -> float:
    return float(plugins.load("metrics", name).score(targets, answers))


@pytest.mark.parametrize(("name", "tokenize"), [("bleu", "13a"), ("bleu-zh", "zh"), ("bleu-char", "char")])
def test_bleu_is_sacrebleus(name: str, tokenize: str) -> None:
    one = [texts[:1] for texts in REFERENCES]
    expected = sacrebleu.corpus_bleu(ANSWERS, [[texts[0] for texts in REFERENCES]], tokenize=tokenize)
    assert score(name, one) == expected.score > 0
    assert score(name) == sacrebleu.corpus_bleu(ANSWERS, STREAMS, tokenize=tokenize).score > expected.score
    backwards = [list(reversed(side)) for side in (REFERENCES, ANSWERS)]  # the first has fewer references than the rest
    assert score(name, *backwards) == score(name)
    assert f"tok:{tokenize}|" in plugins.load("metrics", name).signature()


def test_chrf_is_sacrebleus() -> None:
    assert score("chrf") == sacrebleu.corpus_chrf(ANSWERS, STREAMS).score > 0
    assert "nc:6|nw:0" in plugins.load("metrics", "chrf").signature()


@pytest.mark.parametrize(("name", "kind"), [("rouge1", "rouge1"), ("rouge2", "rouge2"), ("rouge-l", "rougeL")])
def test_rouge_is_rouge_scores(name: str, kind: str) -> None:
    scorer = RougeScorer([kind], use_stemmer=True)
    best = [
        max(scorer.score(text, answer)[kind].fmeasure for text in texts)
        for texts, answer in zip(REFERENCES, ANSWERS, strict=True)
    ]
    assert best[0] > 0
    assert plugins.load("metrics", name).outcomes(REFERENCES, ANSWERS).tolist() == pytest.approx(best)
    assert score(name) == pytest.approx(sum(best) / len(best))
    assert kind in plugins.load("metrics", name).signature()


def test_rouge_by_characters_is_rouge_l_of_spaced_text() -> None:
    """rouge-score knows a-z and 0-9 alone, so its own tokens are letters that stand for the characters."""
    text, answer = "今天天气很好", "今天气好 "
    letters = dict(zip("今天气很好", "abcde", strict=True))
    spaced = [" ".join(letters[c] for c in side.strip()) for side in (text, answer)]
    expected = RougeScorer(["rougeL"]).score(*spaced)["rougeL"].fmeasure
    assert score("rouge-l-char", [[text]], [answer]) == pytest.approx(expected)
    assert score("rouge-l", [[text]], [answer]) == 0


class Nothing:
    def synsets(self, word: str) -> list[Any]:
        return []


def test_meteor_is_nltks_without_synonyms() -> None:
    words = NLTKWordTokenizer().tokenize
    expected = [
        meteor_score([words(t) for t in texts], words(answer), stemmer=PorterStemmer(), wordnet=Nothing())
        for texts, answer in zip(REFERENCES, ANSWERS, strict=True)
    ]
    assert meteor.outcomes(REFERENCES, ANSWERS).tolist() == pytest.approx(expected)
    assert score("meteor") == pytest.approx(np.mean(expected))
    assert meteor.score([["running"]], ["runs"]) == 0.5  # the stem matches
    assert meteor.score([["dog"]], ["hound"]) == 0  # a synonym does not, whatever is installed
    assert "no wordnet" in meteor.signature()


@pytest.mark.parametrize("name", TEXTS)
def test_texts_at_their_edges(name: str) -> None:
    same = "seven grey cats crossed over"
    assert score(name, [["a b c d e"]], [""]) == 0
    assert score(name, [["", same]], [same]) > 0.9
    assert score(name, [["x", same]], [same]) == score(name, [[same, "x"]], [same]) == score(name, [[same]], [same])
    assert score(name, [[""]], [same]) == 0
    assert score(name, [[""]], [""]) == (name in SQUAD)
    assert score(name, [[" \n\t"]], [" "]) == (name in SQUAD)


def normal(text: str) -> list[str]:
    """What SQuAD v2.0's script compares, said otherwise: runs of letters and digits, articles among them dropped."""
    kept = "".join(c for c in text.lower() if c not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    runs = ("".join(run) for _, run in groupby(kept, str.isalnum))
    return "".join(" " if run in ("a", "an", "the") else run for run in runs).split()


def overlap(reference: list[str], answer: list[str]) -> float:
    if reference == [] or answer == []:
        return 1.0 if reference == answer else 0.0
    left, hits = list(reference), 0
    for word in answer:
        if word in left:
            left.remove(word)
            hits += 1
    if hits == 0:
        return 0.0
    precision, recall = hits / len(answer), hits / len(reference)
    return 2 * precision * recall / (precision + recall)


PIECES = [
    "the",
    "a",
    "An",
    "The",
    "cat",
    "Cats",
    "theatre",
    "l'an",
    " ",
    "  ",
    "\t",
    "-",
    "_",
    ".",
    "U.S.",
    "é",
    "中",
    "a.",
    "1",
]
PHRASES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=12)


@given(st.lists(st.tuples(st.lists(PHRASES, min_size=1, max_size=3), PHRASES), min_size=1, max_size=5))
def test_squad_s_rule(pairs: list[tuple[list[str], str]]) -> None:
    targets, answers = [list(side) for side in zip(*pairs, strict=True)]
    exact, shared = [], []
    for texts, answer in pairs:
        gold = [one for one in map(normal, texts) if one] or [[]]
        exact.append(max(float(one == normal(answer)) for one in gold))
        shared.append(max(overlap(one, normal(answer)) for one in gold))
    assert exact_match.outcomes(targets, answers).tolist() == exact
    assert token_f1.outcomes(targets, answers).tolist() == pytest.approx(shared)
    assert exact_match.score(targets, answers) <= token_f1.score(targets, answers) + 1e-6


def test_squad_by_hand() -> None:
    assert exact_match.score([["The Beatles!"]], ["beatles"]) == 1
    assert token_f1.score([["in the red house", "red"]], ["A red barn"]) == pytest.approx(2 / 3)
    assert exact_match.outcomes([[""], [""], ["yes"]], ["", "yes", ""]).tolist() == [1, 0, 0]
    assert token_f1.outcomes([[""], [""], ["yes"]], ["the", "yes", ""]).tolist() == [1, 0, 0]


def test_a_question_without_an_answer_has_the_reference_nothing() -> None:
    """As SQuAD 2.0's script scores a whole file: a reference that normalises to nothing is none."""
    targets = [[""], [""], ["the", "1 cat"], ["..."], ["a", "the"]]
    found = ["", "cat", "1 Cat.", "", "an the"]
    assert exact_match.outcomes(targets, found).tolist() == [1, 0, 1, 1, 1]
    assert token_f1.outcomes(targets, found).tolist() == [1, 0, 1, 1, 1]
    assert token_f1.outcomes([["1 cat"], [""]], ["", "!"]).tolist() == [0, 1]


MARKS = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"


def characters(text: str) -> list[str]:
    """What CMRC 2018's script compares: a mark is left out, a Chinese character stands alone, the rest are words."""
    found, rest = [], ""
    for c in [*text.lower().strip(), ""]:
        if c in MARKS and c:
            continue
        if c == "" or "\u4e00" <= c <= "\u9fa5":
            found += [*NLTKWordTokenizer().tokenize(rest), *c]
            rest = ""
        else:
            rest += c
    return found


def longest(one: list[str], other: list[str]) -> int:
    """The length of the longest run that both hold, by CMRC's table."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, j in itertools.product(range(len(one)), range(len(other))):
        table[i + 1][j + 1] = table[i][j] + 1 if one[i] == other[j] else 0
    return max(map(max, table))


CHINESE = st.lists(st.sampled_from(["中", "国", "人", "《", "》", "，", "308", " ", "NFL", "a.", "é", "-"]), max_size=8)


@given(CHINESE.map("".join), CHINESE.map("".join))
def test_characters_are_compared_as_cmrc_does(reference: str, answer: str) -> None:
    one, other = characters(reference), characters(answer)
    run = longest(one, other)
    expected = 2 * (run / len(other)) * (run / len(one)) / (run / len(other) + run / len(one)) if run else 0
    found = float(score("token-f1-char", [[reference]], [answer]))
    assert found == pytest.approx(expected if one and other else float(one == other))
    stripped = ["".join(c for c in side.lower().strip() if c not in MARKS) for side in (reference, answer)]
    assert score("exact-match-char", [[reference]], [answer]) == (stripped[0] == stripped[1])


def test_chinese_answers_by_hand() -> None:
    assert (
        score("exact-match-char", [["《紅樓夢》"]], ["紅樓夢"])
        == 1
        > score("exact-match", [["《紅樓夢》"]], ["紅樓夢"])
    )
    assert (
        score("token-f1-char", [["汉斯雷顿"]], ["斯雷顿国"]) == 0.75 > score("token-f1", [["汉斯雷顿"]], ["斯雷顿国"])
    )
    assert score("token-f1-char", [["308分", "308"]], ["308"]) == 1
    assert score("token-f1-char", [["中国人"]], ["中人"]) == pytest.approx(2 * 1 / 5)  # a run, not a bag
    assert "nltk" in plugins.load("metrics", "token-f1-char").signature()


TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
SENTENCES = st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=8), min_size=1, max_size=5)


@given(SENTENCES)
def test_entity_f1_is_seqevals(sentences: list[list[tuple[str, str]]]) -> None:
    targets, answers = ([[pair[side] for pair in one] for one in sentences] for side in (0, 1))
    expected = seqeval.metrics.f1_score(targets, answers, zero_division=0)
    assert entity_f1.score(targets, answers) == pytest.approx(expected, abs=1e-12)


def test_entity_f1_by_hand() -> None:
    targets = [["B-A", "I-A", "O", "B-B"], ["O", "B-A"]]
    assert entity_f1.score(targets, targets) == 1
    assert entity_f1.score(targets, [["B-A", "O", "O", "B-B"], ["O", "B-B"]]) == pytest.approx(1 / 3)  # 1 of 3, 1 of 3
    assert entity_f1.score([["B-A", "I-A"]], [["I-A", "I-A"]]) == 1  # as conlleval
    assert entity_f1.score([["O"], []], [["O"], []]) == 0
    assert "conlleval" in entity_f1.signature()


VALUES = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=12)


@given(VALUES)
def test_correlations_are_scipys(pairs: list[tuple[int, int]]) -> None:
    targets, answers = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    if len(set(targets)) == 1 or len(set(answers)) == 1:
        assert spearman.score(targets, answers) == pearson.score(targets, answers) == 0
    else:
        assert spearman.score(targets, answers) == scipy.stats.spearmanr(targets, answers)[0]
        assert pearson.score(targets, answers) == scipy.stats.pearsonr(targets, answers)[0]


def test_correlation_with_what_is_nearly_constant_warns_of_nothing() -> None:
    targets, answers = np.array([1.0, 2.0, 3.0]), np.array([1e6, 1e6, 1e6 + 1e-9])
    assert -1 <= pearson.score(targets, answers) <= 1


def test_perplexity_and_bits_per_byte_of_a_corpus() -> None:
    texts = np.array([[2.0, 4, 10], [8.0, 6, 30]])
    assert perplexity.score(None, texts) == pytest.approx(math.exp(10 / 10))
    assert bits_per_byte.score(None, texts) == pytest.approx(10 / math.log(2) / 40)
    uniform = np.array([[100 * math.log(256), 100, 100]])  # a byte a token, every byte as likely
    assert perplexity.score(None, uniform) == pytest.approx(256)
    assert bits_per_byte.score(None, uniform) == pytest.approx(8)
    assert perplexity.score(None, np.array([[1e6, 1, 1]])) == math.inf


def test_nothing_is_asked_of_the_network_or_of_nltks_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **more: Any) -> None:
        raise AssertionError(f"asked for {arguments}")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("nltk.data.find", refuse)
    monkeypatch.setattr("nltk.data.load", refuse)
    for name in TEXTS:
        assert score(name) >= 0
