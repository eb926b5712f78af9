"""The promise with real trials and a real server: killed, interrupted, out of time."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator

import pytest
from ground import REAL, Ground
from rows import Row
from tiny_models import tiny_bert

SEEDS = 6


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A tiny model and its data, prepared once."""
    found = Ground(tmp_path_factory.mktemp("faults"), REAL)
    tiny_bert("BertForMaskedLM", found.folder / "model")
    rows = [f"the film is {'dull' if i % 2 else 'a joy'} and long {i},{'ab'[i % 2]}\n" for i in range(80)]
    (found.folder / "a.csv").write_text("text,label\n" + "".join(rows))
    yield found
    found.end()


@pytest.mark.fault(Row.RUNNER)
def test_a_killed_run_goes_on_to_the_tables_of_an_undisturbed_one(ground: Ground) -> None:
    suite, moments = ground.suite("killed", SEEDS), random.Random(0)
    for _ in range(2):
        before = len(ground.records("killed"))
        process = ground.start("run", suite)
        ground.wait_for("killed", before + 1)
        time.sleep(moments.random())
        process.kill()
        process.communicate()
        ground.nobody_left()
    finished = {r["trial"]["id"] for r in ground.records("killed")}
    assert json.loads(ground.run("run", suite, "--json")[0])["executed"] == SEEDS - len(finished)
    ground.run("run", suite, "--results", "undisturbed")
    tables = []
    for results in ("results", "undisturbed"):
        ground.run("report", f"{results}/killed")
        (table,) = (ground.folder / results / "killed/report/tables").glob("scores-*.tex")
        tables.append(table.read_bytes())
    assert tables[0] == tables[1]


@pytest.mark.fault(Row.INTERRUPT)
def test_interrupted_before_the_server_is_ready_it_ends_at_once(ground: Ground) -> None:
    process = ground.start("run", ground.suite("early", 1))
    ground.until(ground.servers, 30)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    ground.ended(process, 130)
    assert time.monotonic() - begun < 5


@pytest.mark.fault(Row.HANG)
def test_a_real_trial_runs_into_the_timeout(ground: Ground) -> None:
    suite = ground.folder / ground.suite("late", 1, "timeout: 2\n")
    suite.write_text(suite.read_text().replace("steps: 3", "steps: 1000000"))
    out, _ = ground.run("run", suite.name, "--json", code=1)
    assert json.loads(out)["statuses"] == {"timeout": 1}
    (record,) = ground.records("late")
    assert "in train" in record["log"]
