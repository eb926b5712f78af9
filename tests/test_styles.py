"""A regime looks the same in every figure, whatever stands beside it and in whatever order."""

from __future__ import annotations

import itertools
from pathlib import Path

from factory import Factory, trial
from matplotlib.colors import to_hex

from bench import plugins
from bench.analysis import frame
from bench.report import drawing
from bench.report.figure_styles import KINDS, styles
from bench.report.section import sections

OWN = [("lora", "lora"), ("lora", "lora-r64"), ("lora", "a"), ("zero-shot", "zero-shot"), ("mine", "m"), ("yours", "y")]


def test_every_regime_here_has_a_look_of_its_own() -> None:
    assert KINDS.keys() == set(plugins.names("regimes"))
    for part in zip(*KINDS.values(), strict=True):
        assert len(set(part)) == len(KINDS)


def test_the_order_and_the_company_change_no_colour() -> None:
    whole = styles(OWN)
    for order in itertools.permutations(OWN):
        assert styles(order) == whole
    assert len({str(style) for style in whole.values()}) == len(OWN)
    assert styles([("lora", "lora")])["lora"] == whole["lora"]
    assert styles([("lora", "other")])["other"] == whole["lora"]


def test_no_two_names_of_a_kind_look_alike_and_all_are_of_its_marker() -> None:
    found = styles(("full", f"full-{i}") for i in range(4)).values()
    assert len({style["color"] for style in found}) == len({str(style.get("linestyle")) for style in found}) == 4
    assert {style["marker"] for style in found} == {"s"}


def test_figures_of_two_suites_agree(tmp_path: Path) -> None:
    drawn = []
    for name, regimes in (("one", ("lora", "full")), ("two", ("full", "mine", "lora"))):
        factory = Factory(tmp_path / name)
        for regime, size in itertools.product(regimes, (16, 64)):
            cell = factory.cell(regime, size, None, seeds=1)
            of = trial("minilm", "sst2", regime, size, 0.0, 0)
            kind = {"mine": "retrain"}.get(regime, regime)
            how = {"kind": kind, "version": 1, "parameters": {}}
            factory.record(cell[0], 0.7, trial={**of.to_json(), "regime": how})
        (panel,) = drawing.draw(sections(frame.load(factory.finish()))[0].figures[0]).axes
        drawn.append(
            {
                line.get_marker(): to_hex(line.get_color()).upper()
                for line in panel.get_lines()
                if line.get_marker() in "svX"
            }
        )
    assert drawn[0] == {KINDS[kind][1]: KINDS[kind][0] for kind in ("lora", "full")}
    assert drawn[1] == {KINDS[kind][1]: KINDS[kind][0] for kind in ("lora", "full", "retrain")}
