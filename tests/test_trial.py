"""A trial and its id, which must be the same in every version that can read old results."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from bench.suite.parameters import Budget, Training
from bench.suite.trial import BudgetSpec, TrainingSpec, Trial, TrialSpec

RESULTS = Path(__file__).parent.parent / "results"


def specs(suite: str) -> list[Any]:
    files = sorted((RESULTS / suite / "records").glob("*.jsonl"))
    return [json.loads(line)["trial"] for file in files for line in file.read_text().splitlines()]


@pytest.mark.parametrize("suite", ["nlp-small", "sentiment-small"])
def test_ids_of_kept_results_are_what_they_were(suite: str) -> None:
    found = specs(suite)
    assert len(found) > 100
    for spec in found:
        trial = Trial.from_json(spec)
        kept = {key: value for key, value in spec.items() if key not in ("id", "purpose", "protocol")}
        assert {key: value for key, value in trial.to_json().items() if key not in ("id", "protocol")} == kept
        if spec.get("protocol", 1) == 1:  # by which what sees labels learns from others than today
            assert (trial.id == spec["id"]) == (spec["size"] == 0)
        else:
            assert trial.id == spec["id"]


def test_the_json_of_a_trial_has_its_fields_and_its_id() -> None:
    assert {f.name for f in dataclasses.fields(Trial)} | {"id", "protocol", "purpose"} == set(get_type_hints(TrialSpec))


@pytest.mark.parametrize(("spec", "model"), [(BudgetSpec, Budget), (TrainingSpec, Training)])
def test_specs_name_what_the_suite_may_set(spec: Any, model: Any) -> None:
    assert set(get_type_hints(spec)) == set(model.model_fields)
