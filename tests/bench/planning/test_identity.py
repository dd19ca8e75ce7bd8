"""What recomputes a cell, and what does not: the suite run from a copy of its own sources that is then edited."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload
from bench.planning.identity import sources

ROOT = Path(bench.__file__).parent.parent


@pytest.fixture
def copied(tmp_path, cache):
    """A copy of both packages, and a function that runs two arms from it."""
    for package in ("bench", "vae_jax"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))

    def run(*options):
        answer = subprocess.run(
            [sys.executable, "-m", "bench", "run", "--suite", "smoke", "--arms", "baseline,rezero", "--seeds", "1",
             "--workload", "digits-dense[depth=2,width=16]", "--steps", "20", "--no-timing",
             "--out", tmp_path / "out", *options],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return tmp_path, run


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_an_edit_recomputes_the_arms_it_touches_and_no_others(copied):
    root, run = copied
    assert "0 stored, 2 to run" in run()
    files = {path.name: path.read_bytes() for path in (root / "out" / "cells").iterdir()}

    # A comment, a docstring, a plot, the order of the arms: nothing is even looked at again.
    blocks = root / "vae_jax" / "layers" / "blocks.py"
    blocks.write_text(blocks.read_text() + "\n# A comment.\n")
    edit(root / "vae_jax" / "train.py", '"""One training run', '"""A training run')
    plots = root / "bench" / "plots" / "__init__.py"
    plots.write_text(plots.read_text() + "\nEDITED = True\n")
    assert "2 stored, 0 to run" in run()
    assert "2 stored, 0 to run" in run("--arms", "rezero,baseline")

    # A layer's code: every arm is lowered again, and trained again where its program came out another.
    before = "self.alpha[...] * self.branch"
    edit(blocks, before, "1.5 * self.alpha[...] * self.branch")
    said = run()
    assert "0 stored, 2 stored of other sources" in said
    assert re.search(r"baseline: ok .*\(kept: its programs are the same\)", said)
    assert re.search(r"rezero: ok .*\(\d+ s\)", said)
    assert "2 stored, 0 to run" in run()

    # What was stored before is still there: the edit taken back, so is its figure.
    edit(blocks, "1.5 * self.alpha[...] * self.branch", before)
    assert "2 stored, 0 to run" in run()
    for name, content in files.items():
        assert (root / "out" / "cells" / name).read_bytes() == content

    # What is done with a program's figures on the host is in no program: it recomputes all.
    edit(root / "bench" / "record.py", "zip(profile[:, 1], profile[:, -1]", "zip(profile[:, 0], profile[:, -1]")
    assert "0 stored, 2 to run" in run("--dry-run")


def test_a_function_without_a_source_of_its_own_is_no_obstacle():
    workload = build_workload(load_catalogue(()), "digits-dense")[1]
    recipe = next(iter(workload.bases.values()))
    assert sources(recipe.replace(activation=abs), workload, ()) == sources(recipe, workload, ())
