"""`report.html` in a real browser: `BENCH_CHROMIUM=/usr/bin/chromium pytest tests/test_html_browser.py`.

It needs the packages playwright and axe-playwright-python (for its copy of axe-core); without them, or without the
variable, it is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import frame
from bench.report.formats.html import Html
from bench.report.section import sections

CHROMIUM = os.environ.get("BENCH_CHROMIUM", "")
ROOT = Path(__file__).parent.parent
WIDTHS = (1280, 390)

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="BENCH_CHROMIUM names no browser"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="axe-playwright-python is not installed"),
]


@pytest.fixture(scope="module", params=["nlp-small", "sentiment-small"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(Html().render(sections(frame.load(ROOT / "results" / request.param)))["report.html"])
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Visit:
    """A page that was opened, what it asked for, and what the browser complained of."""

    def __init__(self, browser: Any, address: str, width: int = 1280, **options: Any) -> None:
        self.page = browser.new_context(viewport={"width": width, "height": 900}, **options).new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(address)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_serious_is_found(browser: Any, address: str, width: int, scheme: str) -> None:
    import axe_playwright_python

    (folder,) = axe_playwright_python.__path__
    visit = Visit(browser, address, width, color_scheme=scheme)
    visit.page.evaluate("document.querySelectorAll('details.part').forEach(one => { one.open = true; })")
    visit.page.evaluate(
        "[...document.querySelectorAll('details.cell')].slice(0, 5).forEach(one => { one.open = true; })"
    )
    visit.page.evaluate((Path(folder) / "axe.min.js").read_text())
    found = visit.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = {
        one["id"]: [node["html"][:200] for node in one["nodes"][:3]]
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    }
    assert told == {}
    assert len(found["passes"]) > 10


@pytest.mark.parametrize("width", WIDTHS)
def test_it_asks_for_nothing_and_fits_its_window(browser: Any, address: str, width: int) -> None:
    visit = Visit(browser, address, width)
    visit.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert visit.page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert visit.asked == [address]
    assert visit.complaints == []


def test_a_head_sorts_its_table(browser: Any, address: str) -> None:
    page = Visit(browser, address).page
    table = page.locator("div.tall table")
    scores = "rows => rows.map(row => row.querySelector('td a')?.textContent).filter(Boolean).map(Number)"
    table.get_by_role("button", name="score").click()
    falling = table.locator("tbody tr").evaluate_all(scores)
    table.get_by_role("button", name="score").click()
    rising = table.locator("tbody tr").evaluate_all(scores)
    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)
    assert len(set(rising)) > 10


def test_words_leave_what_holds_them(browser: Any, address: str) -> None:
    page = Visit(browser, address).page
    rows = page.locator("div.tall tbody tr")
    before = rows.count()
    page.get_by_label("Show only").fill("full 512")
    shown = rows.evaluate_all("rows => rows.filter(row => !row.hidden).map(row => row.textContent)")
    assert 0 < len(shown) < before
    assert all("full" in text for text in shown)
    page.get_by_label("Show only").fill("")
    assert page.locator("[hidden]").count() == 0


@pytest.mark.parametrize("script", [True, False])
def test_a_point_leads_to_its_trials(browser: Any, address: str, script: bool) -> None:
    page = Visit(browser, address, java_script_enabled=script).page
    point = page.locator("figure").first.locator("svg a").last
    target = page.locator(str(point.get_attribute("href")))
    assert not target.is_visible()
    point.locator(".k").click(timeout=5000)
    target.get_by_text("To run it again").wait_for(state="visible", timeout=5000)


def test_it_prints_what_is_folded(browser: Any, address: str) -> None:
    page = Visit(browser, address).page
    page.emulate_media(media="print")
    assert page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.part table").first.is_visible()
    assert not page.locator("nav").is_visible()
    assert page.pdf().startswith(b"%PDF")
