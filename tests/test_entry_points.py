"""Plugins of another package: a task kind, a metric and a regime of one file each, used by a suite."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tiny_models import tiny_bert
from tiny_tasks import write_texts

from bench.store import records

FILES = {
    "shouting.py": '''
        """Text classification of texts in capitals."""

        from dataclasses import replace

        from bench.tasks.text_classification import TextClassification


        class Shouting(TextClassification):
            """One class a text in capitals."""

            METRIC = "luck"

            def examples(self, dataset, columns, parameters, place):
                """The texts in capitals, and their classes."""
                found = super().examples(dataset, columns, parameters, place)
                return replace(found, inputs=[text.upper() for text in found.inputs])
    ''',
    "luck.py": '''
        """How often the second class was right (higher is better)."""

        from bench.contracts import MeanMetric


        class Luck(MeanMetric):
            """The share of examples of the second class."""

            VERSION = 1
            TAKES = "classes"
            RANGE = (0.0, 1.0)

            def outcomes(self, targets, answers):
                """1 where it was."""
                return (targets == 1).astype("float32")
    ''',
    "stubborn.py": '''
        """Always answer one class."""

        import numpy as np
        from pydantic import Field

        from bench.contracts import Adapted, Predictions, Regime
        from bench.suite.parameters import RegimeParameters


        class StubbornParameters(RegimeParameters):
            """Which."""

            answer: int = Field(0, description="the class's number")


        class Stubborn(Regime[StubbornParameters]):
            """One answer to everything."""

            VERSION = 1
            Parameters = StubbornParameters

            def adapt(self, context, ledger, parameters):
                """Nothing is loaded."""

                def predict(part, prepared=None):
                    found = np.full((1, len(part.indices), len(context.labels)), -20.0, dtype=np.float32)
                    found[:, :, parameters.answer] = 0.0
                    return Predictions(found)

                return Adapted(predict, trainable=0, total=0, stored_bytes=0)
    ''',
}
ENTRIES = """\
[bench.plugins]
tasks.shouting = toys.shouting
metrics.luck = toys.luck
regimes.stubborn = toys.stubborn
"""
SUITE = """\
name: toys
models: {bert: {folder: bert}}
tasks:
  films:
    kind: shouting
    data: {files: {train: train.csv, test: test.csv}}
    labels: [good, bad]
    metrics: [luck, accuracy]
regimes: {stubborn: {answer: 1}, linear-probe: {C: 1.0}}
sizes: [12]
seeds: 1
"""


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "BENCH_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(folder / "site"), str(Path(__file__).parents[1])]),
    }
    return subprocess.run(
        [sys.executable, "-c", "from bench.cli import main; main()", *arguments],
        cwd=folder, env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_another_packages_plugins_work_in_a_suite(tmp_path: Path) -> None:
    package, about = tmp_path / "site" / "toys", tmp_path / "site" / "toys-1.0.dist-info"
    package.mkdir(parents=True)
    about.mkdir()
    (package / "__init__.py").write_text("")
    for name, source in FILES.items():
        (package / name).write_text(textwrap.dedent(source).lstrip())
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    tiny_bert("BertModel", tmp_path / "bert")
    write_texts(tmp_path / "train.csv", 20, 0)
    write_texts(tmp_path / "test.csv", 10, 1)
    (tmp_path / "toys.yaml").write_text(SUITE)
    listed = bench(tmp_path, "list")
    assert all(name in listed.stdout for name in ("shouting", "luck", "stubborn")), listed.stderr
    done = bench(tmp_path, "run", "toys.yaml", "--devices", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {r["trial"]["names"]["regime"]: r for r in records.read(tmp_path / "results/toys").records}
    assert {r["status"] for r in found.values()} == {"ok"}
    assert found["stubborn"]["trial"]["regime"]["parameters"] == {"answer": 1}
    assert found["stubborn"]["scores"]["test"] == {"luck": 0.5, "accuracy": 0.5}
    assert found["linear-probe"]["scores"]["metric"] == "luck"
    assert bench(tmp_path, "check", "results").returncode == 0
    report = bench(tmp_path, "report", "results")
    assert report.returncode == 0, report.stderr
    assert "luck" in (tmp_path / "results/toys/report/report.md").read_text()
