"""`report.html` is one safe file: nothing from outside, nothing that data can run, readable without its script."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from factory import Factory, example
from test_report import HOSTILE

from bench.analysis import frame
from bench.report.formats.html import Html
from bench.report.html import chart, page
from bench.report.section import sections
from bench.store import paths

VOID = {"meta", "input", "br", "link", "img"}
LARGEST = 1_500_000
ROOT = Path(__file__).parent.parent


class Page(HTMLParser):
    """What a browser makes of a page: tags with their attributes, text outside of style and script, and those two."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.code: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.code:
            self.code[self.open[-1]].append(data)
        else:
            self.text.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.text).split())


def written(folder: Path) -> str:
    return Html().render(sections(frame.load(folder)))["report.html"].decode()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(example(tmp_path_factory.mktemp("html") / "results"))


@pytest.fixture(scope="module", params=["nlp-small", "sentiment-small"])
def committed(request: pytest.FixtureRequest) -> str:
    return written(ROOT / "results" / request.param)


def check_safe(text: str) -> Page:
    """The policy allows the one style and the one script that there are, and nothing else is there to allow."""
    found = Page(text)
    (policy,) = [a["content"] for t, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for name, code in found.code.items():
        (only,) = code
        sum_ = base64.b64encode(hashlib.sha256(only.encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{sum_}'"
    for tag, attributes in found.tags:
        assert tag not in ("img", "link", "iframe", "object", "embed", "base", "form", "foreignobject", "image", "use")
        for name, value in attributes.items():
            assert name != "style"
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "action", "xlink:href")
            if name == "href":
                assert value is not None
                assert value.startswith("#")
    assert not re.search(r"@import|url\(", "".join(found.code["style"]))
    return found


def test_the_policy_allows_what_is_in_the_page_and_nothing_else(text: str) -> None:
    check_safe(text)


def test_committed_results_fit_into_a_page(committed: str) -> None:
    found = check_safe(committed)
    assert len(committed.encode()) < LARGEST
    assert "would make this page too large" not in found.said


def test_every_link_leads_somewhere_and_every_id_is_one(committed: str) -> None:
    found = Page(committed)
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = {str(a["href"]).removeprefix("#") for t, a in found.tags if t == "a"}
    assert links <= set(ids)
    assert any(re.fullmatch(r"s0-c\d+", link) for link in links), "no point leads to its trials"


def test_it_is_read_without_its_script(text: str, tmp_path: Path) -> None:
    """Every score and every table of the report stands in the page itself."""
    said = Page(text).said
    (section,) = sections(frame.load(example(tmp_path / "results")))
    for table in section.tables:
        for row in [*table.rows, *table.foot]:
            for cell in row:
                assert " ".join(cell.text.split()) in said
    for _, attributes in Page(text).tags:
        assert "hidden" not in attributes or attributes.get("id") == "bar"  # what nothing but the script needs


def test_names_from_data_are_text_wherever_they_stand(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r", suite="nlp")
    for size in (64, 256):
        for regime in (HOSTILE, '"><script>alert(1)</script>', "full"):
            ran = factory.cell(regime, size, 0.8, task=HOSTILE, model="</style><b>", tuning=2, noise=0.0)
            factory.cell(regime, size, 0.7, task=HOSTILE, model="</style><b>", noise=0.2)
    factory.record(ran[0], status="failed", cause=HOSTILE, log="</pre><script>x</script>\n" + HOSTILE)
    for one in factory.cell("lora", 64, None, task=HOSTILE, model="</style><b>"):
        factory.record(one, status="failed", cause="</title>" + HOSTILE, log="</pre><script>x</script>\n" + HOSTILE)
    found = check_safe(written(factory.finish()))
    assert {tag for tag, _ in found.tags} >= {"svg", "table", "details"}
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert "<script>alert(1)</script>" in found.said
    assert not {c for c in "".join(found.text) if c in "\x1b\u202e\u2066\u200f\x07"}


def test_a_trial_says_what_it_was_and_how_to_run_it_again(text: str) -> None:
    said = Page(text).said
    assert re.search(
        r"bench run nlp\.yaml --only task=sst2 --only model=minilm --only regime=\S+ --only size=\S+", said
    )
    assert "Configuration, as resolved:" in said
    assert "regime: kind: full" in said
    assert "CUDA out of memory" in said


def test_the_same_records_give_the_same_bytes(text: str, tmp_path: Path) -> None:
    assert written(example(tmp_path / "results")) == text


def test_what_does_not_fit_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = example(tmp_path / "results")
    whole = Page(written(folder))
    monkeypatch.setattr(page, "MOST", dict.fromkeys(page.MOST, 9_000))
    small = written(folder)
    assert len(small.encode()) < len(page.MOST) * 9_000 + 30_000
    cut = check_safe(small)
    assert "more cells would make this page too large" in cut.said
    ids = {a["id"] for _, a in cut.tags if "id" in a}
    assert {str(a["href"])[1:] for t, a in cut.tags if t == "a"} <= ids
    assert (
        0
        < sum(a.get("class") == "cell f" for _, a in cut.tags)
        < sum(a.get("class") == "cell f" for _, a in whole.tags)
    )


def test_classes_and_disagreements_are_those_of_the_predictions(tmp_path: Path) -> None:
    """Counted by hand, from files whose answers are known."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    factory = Factory(tmp_path / "r", examples=6)
    right = [0, 0, 0, 1, 1, 1]
    answers = {"full": [0, 0, 1, 1, 1, 0], "lora": [0, 0, 0, 1, 1, 0]}
    for regime, said in answers.items():
        (one,) = factory.cell(regime, 64, 1.0, seeds=1)
        (attempt,) = (factory.folder / "artifacts" / one.id).iterdir()
        probabilities = [[np.log(0.9), np.log(0.1)] if c == 0 else [np.log(0.2), np.log(0.8)] for c in said]
        columns = {"example": range(6), "row": range(10, 16), "template": [0] * 6, "outcome": [1.0] * 6, "label": right}
        pq.write_table(
            pa.table({**{k: list(v) for k, v in columns.items()}, "log_probabilities": probabilities}),
            paths.predictions(factory.folder, one.id, attempt.name),
        )
    (found,) = sections(frame.load(factory.finish()))
    from bench.report.html.classes import classes

    (told,) = classes(found)
    assert [[cell.text for cell in row] for row in told.scores.rows] == [
        ["0", "3", ".667", ".857"],
        ["1", "3", ".667", ".800"],
    ]
    assert told.about.startswith("Of 6 test examples all regimes get 4 right and 1 wrong; on 1 it depends")
    assert told.disagreements is not None
    assert [[cell.text for cell in row] for row in told.disagreements.rows] == [["12", "0", "1", "0"]]
    assert told.confusions[0].rows[0] == ("0", [("67", 6), ("33", 3)])


def test_axes_have_round_values_within_them() -> None:
    points = [chart.Point(64, 0.71), chart.Point(4096, 0.93)]
    drawn = chart.svg(chart.Chart("t", "labels", "accuracy", [(64, "64")], [chart.Series("a", points)], log=True))
    assert re.findall(r'class="e"[^>]*>([^<]*)<', drawn) == [".7", ".75", ".8", ".85", ".9"]
    for x, y in re.findall(r"translate\(([\d.]+) ([\d.]+)\)", drawn):
        assert chart.LEFT <= float(x) <= chart.WIDTH
        assert chart.TOP <= float(y) <= chart.HEIGHT - chart.BOTTOM
