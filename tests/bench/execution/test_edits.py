"""An edit of the sources recomputes the arms it touches and no others: a copy is run, edited and run again."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bench

ROOT = Path(bench.__file__).parent.parent


@pytest.fixture
def copied(tmp_path, cache):
    """A copy of both packages, and a function that runs two arms from it."""
    for package in ("bench", "vae_jax"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))

    def run(*options, arms="baseline,rezero"):
        answer = subprocess.run(
            [sys.executable, "-m", "bench", "run", "--suite", "smoke", "--arms", arms, "--seeds", "1",
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


@pytest.mark.long
def test_an_edit_recomputes_the_arms_it_touches_and_no_others(copied):
    root, run = copied
    assert "0 stored, 2 to run" in run()
    files = {path.name: path.read_bytes() for path in (root / "out" / "cells").iterdir()}

    # A comment, a docstring, a plot, the order of the arms: nothing is even looked at again.
    blocks = root / "vae_jax" / "layers" / "blocks.py"
    blocks.write_text(blocks.read_text() + "\n# A comment.\n")
    edit(root / "vae_jax" / "training" / "train.py", '"""One training run', '"""A training run')
    plots = root / "bench" / "report" / "plots" / "__init__.py"
    plots.write_text(plots.read_text() + "\nEDITED = True\n")
    assert "2 stored, 0 to run" in run(arms="rezero,baseline")

    # A layer's code, and that of blame: every arm is lowered again, and trained where its program came out another.
    before = "self.alpha[...] * self.branch"
    edit(blocks, before, "1.5 * self.alpha[...] * self.branch")
    edit(root / "vae_jax" / "diagnosis" / "layers" / "attribution.py", "STANDS_OUT = 10.0", "STANDS_OUT = 10.5")
    said = run()
    assert "0 stored, 2 stored of other sources" in said
    assert re.search(r"baseline: ok .*\(kept: its programs are the same\)", said)
    assert re.search(r"rezero: ok .*\(\d+ s\)", said)
    # Looked at again because it is asked for, it is the same.
    assert len(re.findall(r"\(kept: its programs are the same\)", run("--verify"))) == 2

    # What was stored before is still there: the edit taken back, so is its figure.
    edit(blocks, "1.5 * self.alpha[...] * self.branch", before)
    edit(root / "vae_jax" / "diagnosis" / "layers" / "attribution.py", "STANDS_OUT = 10.5", "STANDS_OUT = 10.0")
    assert "2 stored, 0 to run" in run("--dry-run")
    for name, content in files.items():
        assert (root / "out" / "cells" / name).read_bytes() == content

    # What is done with a program's figures on the host is in no program: it recomputes all.
    edit(
        root / "bench" / "training" / "record.py",
        "zip(profile[:, 1], _last(profile)",
        "zip(profile[:, 0], _last(profile)",
    )
    assert "0 stored, 2 to run" in run("--dry-run")
