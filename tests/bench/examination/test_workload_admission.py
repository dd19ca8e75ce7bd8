"""The contract of a workload, for every one that is discovered, and for those that a person writes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.cli.main import main
from bench.examination.workload_admission import workload_results
from bench.planning.catalogue import load_catalogue

CATALOGUE = load_catalogue()
ROOT = Path(__file__).parents[3]
OWN_PARTS = Path(__file__).with_name("own_parts.py")

# Compiled soonest; of one kind of model each, the others take a minute.
_FIRST = "autoencoder"


@pytest.mark.parametrize(
    "name", [name if name == _FIRST else pytest.param(name, marks=pytest.mark.long) for name in CATALOGUE.workloads]
)
def test_a_workload_passes_the_admission_test(name):
    outcomes = list(workload_results(CATALOGUE, name, ()))
    assert [outcome for outcome in outcomes if outcome.status != "ok"] == []
    assert [outcome.check for outcome in outcomes[3:]] == [
        f"{base} trains" for base in CATALOGUE.workloads[name]().bases
    ]
    assert {"baseline", "trainable"} <= set(CATALOGUE.workloads[name]().bases)


WRONG = '''
import numpy as np
from bench import Score, Workload, workload
from bench.data.dataset import Dataset
from vae_jax import Recipe
from vae_jax.models.autoencoder import AutoencoderArchitecture
from vae_jax.models.likelihoods import SquaredError

def load():
    draw = np.random.default_rng(0).normal(size=(3, 40, 4)).astype(np.float32)
    return Dataset(*draw)

def sits(dataset, x):
    return 4.0

@workload
def mine(*, depth: int = 1):
    """Documented."""
    return Workload(
        architecture=AutoencoderArchitecture(4, depth, 3, 2, SquaredError()), bases={"baseline": Recipe()}, steps=20,
        batch=8, data=load, plateau=sits, score=Score("squared error", "per example", 0.1),
    )
'''


@pytest.mark.parametrize(
    ("old", "new", "passed", "said"),
    [
        ("default_rng(0)", "default_rng()", False, "its data hold: loaded a second time they are others: draw with a"),
        ("Recipe()}", "Recipe(learning_rate=1e9)}", False, "baseline trains: diverged within 40 steps"),
        ("Documented", "Documented", True, "baseline trains: squared error"),
    ],
)
def test_check_says_of_a_workload_what_does_not_hold(old, new, passed, said, tmp_path, capsys, monkeypatch):
    import bench.execution.process

    # The tests have chosen device and flags already.
    monkeypatch.setattr(bench.execution.process, "configure_process", lambda *_: None)
    path = tmp_path / "wrong.py"
    path.write_text(WRONG.replace(old, new))
    with pytest.raises(SystemExit) as ended:
        main(["check", str(path)])
    printed = capsys.readouterr().out
    assert ended.value.code == (0 if passed else 1)
    assert said in " ".join(printed.split())
    assert ("1 of 1 passed" if passed else "0 of 1 passed; not mine") in printed


def bench(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)], capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_a_tower_and_a_likelihood_of_ones_own_are_trained_by_the_command(tmp_path, cache):
    ran = bench(
        "run", "--suite", "smoke", "--plugin", OWN_PARTS, "--workload", "own-parts[depth=2,width=6]", "--arms",
        "baseline,trainable+gelu,trainable+rezero", "--steps", "20", "--seeds", "1", "--rates", "1", "--no-timing",
        "--out", "out", folder=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "[2/2]" in ran.stdout
    assert "baseline: ok  -ELBO" in ran.stdout
    shown = bench("show", "out", "trainable+rezero", folder=tmp_path)
    assert "not applicable" in shown.stdout
    assert "a tower that is fed its inputs has layers without blocks" in shown.stdout


def test_a_new_workload_is_the_readmes_and_check_admits_it(tmp_path, cache):
    draw = np.random.default_rng(0)
    np.save(tmp_path / "faces.npy", draw.random((900, 6, 5)).astype(np.float32))
    written = bench("new-workload", "my_faces", "--data", "faces.npy", folder=tmp_path)
    assert written.returncode == 0, written.stderr
    text = (tmp_path / "my_faces.py").read_text()
    code = text.partition('\n"""\n')[2].strip()
    shown = (ROOT / "README.md").read_text()
    assert f"```python\n{code}\n```" in shown
    assert len(code.splitlines()) < 20
    commands = [line.strip() for line in written.stdout.splitlines()[1:]]
    assert commands == text.split('"""')[1].strip().splitlines()[2:]
    checked = bench(*commands[0].split()[3:], folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 of 1 passed" in checked.stdout
    dry = bench(*commands[1].split()[3:], "--dry-run", folder=tmp_path)
    assert dry.stdout.startswith("my-faces: 26 arms, 0 stored")
    again = bench("new-workload", "my_faces", folder=tmp_path)
    assert again.returncode == 2
    assert "not overwritten" in again.stderr
    assert (tmp_path / "my_faces.py").read_text() == text
