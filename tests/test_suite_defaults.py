"""`defaults:` of a suite's tasks, and parameters that belong to PEFT: both checked when the suite is read."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import api
from bench.errors import SuiteError
from bench.modeling.models import peft_parameters
from bench.suite.schema import Suite

TWO = """\
name: two
models: {m: org/m}
defaults:
  kind: text-classification
  data: {builtin: python-docs}
  max_length: 64
  metrics: [macro-f1]
tasks:
  a: {labels: [x, y], max_length: 32}
  b: {}
regimes:
  zero-shot:
sizes: [64]
"""


def load(folder: Path, text: str) -> Suite:
    path = folder / "s.yaml"
    path.write_text(text)
    return api.load_suite(path)


def problems(folder: Path, text: str) -> list[str]:
    """Each problem as `line: path: what is wrong`."""
    with pytest.raises(SuiteError) as caught:
        load(folder, text)
    return [problem.partition("s.yaml:")[2] for problem in caught.value.problems]


def test_defaults_are_those_of_every_task_that_does_not_say_otherwise(tmp_path: Path) -> None:
    a, b = load(tmp_path, TWO).tasks.values()
    assert (a.parameters.max_length, b.parameters.max_length) == (32, 64)  # type: ignore[attr-defined]
    assert a.parameters.metrics == b.parameters.metrics == ("macro-f1",)  # type: ignore[attr-defined]
    written = TWO.partition("defaults:")[0] + "tasks:\n" + "".join(
        f"  {n}: {{kind: text-classification, data: {{builtin: python-docs}}, metrics: [macro-f1], {own}}}\n"
        for n, own in (("a", "labels: [x, y], max_length: 32"), ("b", "max_length: 64"))
    ) + "regimes: {zero-shot: }\nsizes: [64]\n"  # fmt: skip
    assert load(tmp_path, written).tasks == {"a": a, "b": b}


def test_a_default_is_for_those_kinds_that_take_it(tmp_path: Path) -> None:
    tasks = "tasks:\n  c: {kind: translation, data: org/d, metrics: [bleu]}\n"
    c, a, b = load(tmp_path, TWO.replace("tasks:\n", tasks)).tasks.values()
    assert "max_length" not in c.parameters.model_dump()
    assert a.parameters.max_length == 32  # type: ignore[attr-defined]
    assert c.data.source == "hub"
    assert b.data.source == "builtin"


def test_what_is_wrong_with_defaults_is_said_once_and_where_it_stands(tmp_path: Path) -> None:
    wrong = TWO.replace("max_length: 64", "max_length: 2\n  max_lenght: 3").replace("macro-f1", "macro-f2")
    assert problems(tmp_path, wrong) == [
        "6: defaults.max_length: must be at least 4, found 2",
        "7: defaults.max_lenght: no task takes it; did you mean 'max_length'?",
        "8: defaults.metrics[0]: no metric is called 'macro-f2'; did you mean 'macro-f1'?",
    ]
    assert problems(tmp_path, TWO.replace("defaults:", "defaults: 3\nxx:"))[0].startswith("3: defaults: expected a map")


def test_every_wrong_parameter_of_peft_is_said_at_once(tmp_path: Path) -> None:
    text = TWO.replace(
        "  zero-shot:\n",
        "  lora:\n    rank: 8\n    learning-rate: 1e-3\n    lora_alph: 16\n    use_dora: 7\n    r: eight\n"
        "    epochs: -1\n  ia3: {regime: lora, config: IA3Confg}\n  partial: {block: 2, learning-rate: 1}\n",
    )
    assert problems(tmp_path, text) == [
        "13: regimes.lora.rank: PEFT's LoraConfig has no such parameter; did you mean 'r'?",
        "14: regimes.lora.learning-rate: PEFT's LoraConfig has no such parameter; did you mean 'learning_rate'?",
        "15: regimes.lora.lora_alph: PEFT's LoraConfig has no such parameter; did you mean 'lora_alpha'?",
        "16: regimes.lora.use_dora: expected true or false, found 7",
        "17: regimes.lora.r: expected a number, found 'eight'",
        "18: regimes.lora.epochs: must be more than 0, found -1",
        "19: regimes.ia3.config: PEFT has no configuration 'IA3Confg'; did you mean 'IA3Config'?",
        "20: regimes.partial.block: unknown key; did you mean 'blocks'?",
        "20: regimes.partial.learning-rate: unknown key; did you mean 'learning_rate'?",
    ]


def test_what_peft_takes_passes(tmp_path: Path) -> None:
    lines = (
        "lora: {r: 4, lora_alpha: 8, lora_dropout: 0, bias: none, rank_pattern: {q: 2}}",
        "ia3: {regime: lora, config: IA3Config, target_modules: [k], feedforward_modules: []}",
        "ada: {regime: lora, config: AdaLoraConfig, init_r: 12, total_step: 100, learning_rate: 1e-3}",
    )
    suite = load(tmp_path, TWO.replace("  zero-shot:\n", "".join(f"  {line}\n" for line in lines)))
    assert suite.regimes["lora"].parameters.model_extra == {
        "r": 4, "lora_alpha": 8, "lora_dropout": 0, "bias": "none", "rank_pattern": {"q": 2}
    }  # fmt: skip


def test_the_parameters_read_from_the_source_are_those_of_the_installed_peft() -> None:
    import peft

    known: dict[str, Any] = {name: getattr(peft, name) for name in peft_parameters.known() if hasattr(peft, name)}
    assert len(known) > 20
    assert set(known) >= {name for name in dir(peft) if _is_configuration(getattr(peft, name))}
    for name, kind in known.items():
        assert set(peft_parameters.parameters(name)) == {field.name for field in dataclasses.fields(kind)}, name


def _is_configuration(found: Any) -> bool:
    import peft

    return isinstance(found, type) and issubclass(found, peft.PeftConfig)


def test_no_suite_is_refused_where_peft_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peft_parameters, "known", dict)
    assert load(tmp_path, TWO.replace("  zero-shot:", "  lora: {rank: 8}")).regimes


def test_the_check_imports_neither_torch_nor_peft(tmp_path: Path) -> None:
    load(tmp_path, TWO.replace("  zero-shot:", "  lora: {r: 8}"))
    code = "import sys; from bench import api; api.load_suite('s.yaml'); print({'torch', 'peft'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr
