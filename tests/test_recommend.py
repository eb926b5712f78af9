"""A verdict for a case that was not run, from Python and from the command line; verdicts as tables and files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from factory import OTHER, Factory
from planted import column, sweep

from bench import api
from bench.analysis import frame
from bench.analysis.verdict.limits import Limits
from bench.analysis.verdict.recommend import recommend
from bench.cli import main
from bench.errors import UsageError
from bench.report import answers
from bench.report.formats.verdicts import Verdicts
from bench.report.section import Section, sections
from bench.store import paths

TRUTH = {125: {"lora": 0.8, "full": 0.8}, 2000: {"lora": 0.86, "full": 0.9}}


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(main, ["recommend", *arguments])
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clear differences: full is best by far, and zero-shot is far behind."""
    factory = Factory(tmp_path_factory.mktemp("r") / "nlp", examples=400)
    costs = {"memory_bytes": {"train_host": 4e9, "inference_host": 1e9}}
    for noise in (0.0, 0.2):
        for size, lora, full in ((64, 0.6, 0.75), (256, 0.7, 0.9)):
            factory.cell("lora", size, lora - noise / 2, noise=noise, costs={"memory_bytes": {"train_host": 1e9}})
            factory.cell("full", size, full - noise / 2, noise=noise, costs=costs)
    factory.cell("zero-shot", 0, 0.3, seeds=1)
    factory.cell("lora", 64, 0.7, task="alone")
    factory.cell("full", 64, 0.9, task="alone")
    return factory.finish()


def section_of(folder: Path) -> Section:
    (section,) = sections(frame.load(folder))
    return section


def test_between_two_sizes() -> None:
    columns = sweep(TRUTH, np.random.default_rng(0), examples=4_000, seed_sd=0.002, agree=0.97)
    found = recommend(columns, 160)
    assert (found.verdict.chosen, found.run, found.outside) == ("lora", (125, 2000), False)  # .0036 behind
    assert recommend(columns, 1_500).verdict.chosen == "full"
    assert recommend(columns, 2_000).run == (2000,)
    assert recommend(columns, 4_000).outside
    assert recommend(columns, 1_500, limits=Limits(train_seconds=60)).verdict.chosen == "lora"
    assert recommend(columns, 125, prefer="inference").verdict.chosen == "full"


@pytest.mark.parametrize("size", [4_001, 60])
def test_nothing_is_said_of_what_lies_too_far(size: int) -> None:
    columns = sweep(TRUTH, np.random.default_rng(0), examples=200)
    with pytest.raises(UsageError, match=r"125, 2,000 labels were run, .* ask for 62 to 4,000"):
        recommend(columns, size)
    with pytest.raises(UsageError, match="125 labels alone were run"):
        recommend(columns[:1], 126)
    with pytest.raises(UsageError, match=r"noise 0\.1 lies outside of the rates that were run \(0\)"):
        recommend(columns, 500, noise=0.1)


def test_between_two_noise_rates() -> None:
    random = np.random.default_rng(1)
    hard = random.random(2_000)
    columns = [
        column({"lora": 0.8 - rate, "full": 0.9 - rate}, random, size=size, noise=rate, hard=hard)
        for rate in (0.0, 0.2)
        for size in (64, 256)
    ]
    found = recommend(columns, 128, noise=0.1).verdict
    assert found.column.noise == 0.1
    assert found.column.candidate("full").mean == pytest.approx(0.8, abs=0.02)
    assert found.chosen == "full"


def test_the_command_says_it_and_what_it_rests_on(results: Path) -> None:
    said, _ = run(str(results), "--size", "128", "--task", "sst2")
    assert said.splitlines()[0].startswith("sst2 with minilm, 128 labels: full is enough (accuracy .9")
    assert "Reckoned between 64 and 256 labels, which were run." in said
    assert "lora: .7" in said
    assert ", out, trains in 13 s" in said
    limited, _ = run(str(results), "--size", "128", "--task", "sst2", "--max-memory", "2GB")
    assert "Over the limits: full and zero-shot. lora is enough" in limited
    assert "nothing else within the limits is better" in limited
    everything, _ = run(str(results), "--size", "128")
    assert "Nothing can be said: alone with minilm: 64 labels alone were run" in everything


def test_the_command_as_json(results: Path) -> None:
    found = json.loads(run(str(results), "--size", "128", "--noise", "0.1", "--json")[0])
    (one,) = found["recommendations"]
    assert (one["regime"], one["size"], one["noise"], one["sizes_run"]) == ("full", 128, 0.1, [64, 256])
    assert found["cannot"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "5000"], "ask for 32 to 512"),
        (["--size", "64", "--task", "sst3"], "did you mean 'sst2'?"),
        (["--size", "64", "--model", "x"], "model 'x': there is no score of such a one"),
        (["--size", "64", "--max-memory", "much"], "is no amount of memory; write 16GiB"),
        (["--size", "0"], "Invalid value for '--size'"),
        ([], "Missing option '--size'"),
    ],
)
def test_what_cannot_be_answered_is_one_clear_message(results: Path, arguments: list[str], message: str) -> None:
    _, error = run(str(results), *arguments, code=2)
    assert message in error
    assert "Traceback" not in error


def test_verdicts_from_python(results: Path) -> None:
    table = api.verdicts(results)
    assert table[["task", "size", "noise", "regime"]].values.tolist()[0] == ["sst2", 64, 0.0, "full"]
    assert set(api.verdicts(results, max_memory=2e9).regime.dropna()) == {"lora"}
    with pytest.raises(UsageError, match="prefer: 'beauty' is none of train-time"):
        api.verdicts(results, prefer="beauty")
    with pytest.raises(UsageError, match="max_memory: 0 is no limit"):
        api.verdicts(results, max_memory=0)
    with pytest.raises(UsageError, match="size nan"):
        api.recommend(results, float("nan"))


def test_the_report_opens_with_answers_then_verdicts_then_one_overview(results: Path) -> None:
    section = section_of(results)
    assert [part.title for part in section.parts][:3] == ["Answers", "Verdicts", "Overview"]
    first, alone = section.answers
    assert [row[0].text for row in first.rows] == list(answers.QUESTIONS)
    assert first.caption == "sst2 with minilm. 64 and 256 labels: full."
    enough, complex_, amount, quality = (row[1].text for row in first.rows)
    assert enough.startswith("No: zero-shot scores .1")
    assert complex_.startswith("Easy: 0.25 of 1.00 bits a label.")  # 64 of 256 are guessed, the others all but known
    assert amount.startswith("Up to 256 labels; more would help. From 64 to 256 full gained .1")
    assert quality.startswith("With 20 % of the labels wrong full loses .")
    assert "The verdict changes in 0 of 2 places." in quality
    assert alone.rows[2][1].text == "64 labels: what more would bring takes a second budget."
    assert len(section.verdicts[0].rows) == len(section.overview[0].rows) == 5
    bold = [[cell.text for cell in row if cell.bold] for row in section.overview[0].rows]
    assert all(len(row) == 1 for row in bold)


def test_files_of_verdicts(results: Path) -> None:
    files = Verdicts().render([section_of(results)])
    (suite,) = json.loads(files["verdicts.json"])
    group = suite["groups"][0]
    assert list(group["answers"]) == list(answers.QUESTIONS)
    assert [one["regime"] for one in group["verdicts"]] == ["full"] * 4
    assert group["verdicts"][0]["sentence"].startswith("sst2 with minilm, 64 labels: full is enough")
    assert suite["inseparable_neighbours"]["pairs"] == 4 * 2 + 1
    header, first, *_ = files["verdicts.csv"].decode().splitlines()
    assert header.startswith("suite,task,model,size,labels,noise")
    assert first.startswith("nlp,sst2,minilm,64,64.0,0.0")
    assert "NaN" not in files["verdicts.json"].decode()


def test_what_cannot_be_said_and_why(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "one-seed")
    for regime in ("lora", "full"):
        factory.cell(regime, 64, 0.8, seeds=1)
    verdict = section_of(factory.finish()).verdicts[0].rows[0][1].text
    assert verdict == "No verdict: one seed says nothing about the luck of the draw of labels; run at least two."

    factory = Factory(tmp_path / "unrun")
    factory.cell("lora", 64, None)
    section = section_of(factory.finish())
    assert section.answers[0].rows[0][1].text == "Nothing has a score yet."
    assert section.answers[0].notes == ["Nothing has a score yet: sst2 with minilm."]
    assert section.verdicts == section.overview == []
    with pytest.raises(UsageError, match="nothing has a score yet; `bench run` brings some"):
        api.recommend(tmp_path / "unrun", 64)

    factory = Factory(tmp_path / "half", examples=400)
    factory.cell("lora", 64, 0.9)
    factory.cell("full", 64, None)
    factory.cell("full", 256, None)
    section = section_of(factory.finish())
    assert [row[0].text for row in section.verdicts[0].rows] == ["sst2 with minilm, 64 labels"]


def test_two_environments_have_a_verdict_each(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r", examples=400)
    for regime, score in (("lora", 0.7), ("full", 0.9)):
        for one in factory.cell(regime, 64, score):
            factory.record(one, 1.6 - score, environment=OTHER)
    section = section_of(factory.finish())
    first, second = (table.caption for table in section.answers)
    assert first == "sst2 with minilm, environment A. 64 labels: full."
    assert second == "sst2 with minilm, environment B. 64 labels: lora."


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (
            "majority",
            "Nothing tried works: the best, (lora|full), has accuracy .5.., no more than .010 better than a guess that "
            "looks at no example [(]majority class, .5..[)][.]",
        ),
        (
            "copy",
            "The model does not help: copy of the source, without it, has accuracy .5.., and nothing tried with it is "
            "better by more than .010[.]",
        ),
    ],
)
def test_a_baseline_that_nothing_beats_is_said_in_plain_words(baseline: str, said: str) -> None:
    from bench.analysis.column import Candidate
    from bench.analysis.verdict.decision import decide
    from bench.report.verdicts import sentence

    several = column({"lora": 0.5, "full": 0.5}, np.random.default_rng(3), examples=20_000, seed_sd=0.001, agree=0.95)
    lora = several.candidate("lora")
    simple = Candidate(baseline, "baseline", False, (0,), lora.scores[:1], lora.values[:1], lora.examples)  # type: ignore[index]
    verdict = decide(replace(several, candidates=(*several.candidates, simple)))
    assert re.fullmatch(f"task with model, 512 labels: {said}", sentence(verdict))


def test_what_an_audit_found_stands_in_the_fourth_answer(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for regime, score in (("lora", 0.7), ("full", 0.9)):
        factory.cell(regime, 64, score)
    folder = factory.finish()
    audited = {"schema": 1, "tasks": [{"task": "sst2", "suspicious_share": 0.034}, {"task": "other"}]}
    paths.audit(folder).write_text(json.dumps(audited))
    said = section_of(folder).answered[0]["How good is the data?"]
    assert said[0] == "About 3.4 % of the labels look wrong (bench audit)."
    paths.audit(folder).write_text('{"schema": 1, "tas')
    assert section_of(folder).answered[0]["How good is the data?"][0] == "Not known: wrong labels were not tried."
