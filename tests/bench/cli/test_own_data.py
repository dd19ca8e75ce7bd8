"""A person's own data through the commands, and every mistake in them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.cli.main import main
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.training.arm_trainer import ArmTrainer
from tests.bench.data.real_data import needs_files
from tests.bench.data.test_own_data import MISTAKES, npy, npz, numbers, png

ROOT = Path(__file__).parents[3]

# As little as trains.
LITTLE = ("--suite", "smoke", "--arms", "trainable", "--steps", "4", "--seeds", "1", "--rates", "1", "--no-timing")


def bench(*arguments, folder, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "VAE_JAX_DATA"}
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)], capture_output=True, text=True, check=False, cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), **variables},
    )  # fmt: skip


def ended(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return end.value.code, capsys.readouterr()


def test_own_data_reach_the_workers_and_a_changed_file_is_another_cell(tmp_path, cache):
    # With all that a shell and the grammar of arms would trip over.
    path = tmp_path / "my faces, [cut]+.npy"
    np.save(path, numbers(1000, 5, 4).astype(np.float32))
    command = ("run", "--workload", "image-dense[widths=6x2,latent=2]", "--data", path.name, *LITTLE, "--out", "out")
    ran = bench(*command, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    name = f'image-dense[data="{path.name}",latent=2,widths=6x2]'
    first, second, *_ = ran.stdout.splitlines()
    assert first.startswith(f"{name}: 1 arm, 0 stored, 1 to run")
    split = "1,000 examples of 5 x 4 numbers. Split 80/10/10 at random with seed 0: 800 / 100 / 100 examples."
    assert second == f"{path.name}: {split}"
    assert f"<li>{path.name}: {split}</li>" in (tmp_path / "out" / "report.html").read_text()
    shown = bench("show", "out", "trainable", folder=tmp_path)
    assert f"trainable on {name}: ok" in shown.stdout
    # What it says runs it again is one command of a shell.
    again = shown.stdout.splitlines()[-1].removeprefix("again: python -m ")
    shell = f"{sys.executable} -m {again} --dry-run"
    answer = subprocess.run(
        shell, shell=True, capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert answer.stdout.startswith(f"{name}: 1 arm, 0 stored, 1 to run")
    assert "1 arm, 1 stored, 0 to run" in bench(*command, "--dry-run", folder=tmp_path).stdout
    np.save(path, numbers(1000, 5, 4, seed=1).astype(np.float32))
    assert "1 arm, 0 stored, 1 to run" in bench(*command, "--dry-run", folder=tmp_path).stdout


@pytest.mark.parametrize("name", ["mine.npy", "faces"])
def test_what_was_changed_after_the_plan_is_not_run(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    if name == "faces":
        Path("faces").mkdir()
        for number in range(600):
            Path(f"faces/{number}.png").write_bytes(png(np.full((2, 3), number % 256, np.uint8)))
    else:
        np.save(name, numbers(900, 6).astype(np.float32))
    plan = make_plan(
        load_catalogue(), suite="smoke", workload="autoencoder[widths=3x2,code=2]", data=name, arms="trainable"
    )
    job = plan.job(plan.cells[0])
    ArmTrainer(job)
    if name == "faces":
        Path("faces/another.png").write_bytes(png(np.eye(2, 3, dtype=np.uint8)))
    else:
        np.save(name, numbers(900, 6, seed=1).astype(np.float32))
    with pytest.raises(InputError, match=r"finds other .*data.* than the plan was made with: give the same command"):
        ArmTrainer(job)


def planned(workload, **asked):
    return make_plan(load_catalogue(), suite="smoke", workload=workload, arms="trainable", **asked).loaded


def test_every_kind_of_file_is_data_of_the_workloads_of_its_kind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("faces").mkdir()
    for number in range(700):
        Path(f"faces/{number}.png").write_bytes(png(np.random.default_rng(number).integers(0, 256, (2, 3), np.uint8)))
    np.save("values.npy", numbers(900, 7).astype(np.float32))
    np.savetxt("table.csv", numbers(900, 5) - 3, delimiter=",")
    np.savez("labelled.npz", values=numbers(900, 4), labels=np.arange(900) % 3)
    for data, workload, shape in (
        ("faces", "image-dense", (560, 6)), ("faces", "autoencoder", (560, 6)), ("values.npy", "image-dense", (720, 7)),
        ("values.npy", "autoencoder", (720, 7)), ("table.csv", "autoencoder", (720, 5)),
        ("labelled.npz", "autoencoder", (720, 4)),
    ):  # fmt: skip
        loaded = planned(workload, data=data)
        assert loaded.dataset.train.shape == shape, data
        assert loaded.workload.architecture.mean_shape == shape[1:]
    loaded = planned("classify", data="labelled.npz")
    assert loaded.workload.architecture.mean_shape == (3,)
    assert loaded.plateau == pytest.approx(np.log(3), rel=0.01)
    assert planned("image-dense[examples=600]", data="values.npy").dataset.train.shape == (600, 7)
    blocks = planned("autoencoder[in_blocks=true]", data="values.npy").dataset
    assert "10 contiguous blocks" in blocks.description
    # The block that tests is whole: its rows follow each other in the file.
    stored = np.load("values.npy")
    first = int(np.flatnonzero((stored == blocks.test[0]).all(axis=1))[0])
    np.testing.assert_array_equal(blocks.test, stored[first : first + 90])


# By the options of a mistake, a workload that reads such a file so.
WORKLOADS = {"unit_interval": "image-dense"}


@pytest.mark.parametrize("mistake", [name for name, (_, options, *_) in MISTAKES.items() if "array" not in options])
def test_a_mistake_in_a_file_is_one_line_of_the_command_and_nothing_is_written(tmp_path, mistake, capsys, monkeypatch):
    files, options, name, said = MISTAKES[mistake]
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    workload = next((WORKLOADS[option] for option in options if option in WORKLOADS), "autoencoder")
    if "in_blocks" in options:
        workload += "[in_blocks=true]"
    if "examples" in options:
        workload += f"[examples={options['examples']}]"
    code, printed = ended(capsys, "run", "--workload", workload, "--data", name, "--out", "out")
    assert (code, printed.out) == (2, "")
    begins, _, ends = said.replace("PATH", name).partition("*")
    assert printed.err.startswith(f"error: {begins}"), printed.err
    assert ends in printed.err
    assert len(printed.err.splitlines()) == 1
    assert {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    } == files


FILES = {
    "v.npy": npy(numbers(900, 6) - 0.5),
    "one.npy": npy(numbers(1, 6)),
    "few.npy": npy(numbers(100, 6)),
    "i.npy": npy(np.arange(900).reshape(-1, 3)),
    "l.npz": npz(images=numbers(900, 2, 3)),
    "t.txt": "\n".join(map(str, range(900))).encode(),
    "digitz/a.png": png(np.zeros((2, 2), np.uint8)),
}

BAD = [
    (("image-dense", "v.npy"), "v.npy, index [0, 1] holds",
     "and numbers must lie in [0, 1]: scale the numbers, or store bytes, which are divided by 255"),
    (("autoencoder[sigmoid=true]", "v.npy"), "v.npy, index [0, 1] holds", "must lie in [0, 1]"),
    (("image-dense[likelihood=mse,binarisation=anew]", "v.npy"), "v.npy, index [0, 1] holds", "must lie in [0, 1]"),
    (("autoencoder", "one.npy"), "one.npy: three splits need at least 3 different examples, and among 1", "give more"),
    (("image-dense", "few.npy"), "workload 'image-dense[data=few.npy]' in", "give one of them at least 512"),
    (("autoencoder", "i.npy"), "i.npy: whole numbers of type int64 have no range", "store float32"),
    (("classify", "l.npz"), "data 'l.npz' has no labels", "numpy.savez('mine.npz', images=images, labels=labels)"),
    (("autoencoder", "t.txt"), "data 't.txt' holds text, and this workload is of images or rows of numbers",
     "name those"),
    (("autoencoder", "digits.npy"), "there is no digits.npy", "give an .npy, .npz, .csv or .txt file"),
    (("autoencoder", "digitz/"), "digitz: three splits need at least 3 different examples", "give more"),
    (("autoencoder[data=digitz]", None), "unknown data set 'digitz': did you mean 'digits'?", "or write ./digitz"),
    (("autoencoder", "mnst"), "unknown data set 'mnst': did you mean 'mnist'?", "or write ./mnst"),
    (("digits-dense", "v.npy"), "workload 'digits-dense' makes its own data, got --data 'v.npy'",
     "autoencoder, classify"),
    (("linear", "v.npy"), "workload 'linear' makes its own data, got --data 'v.npy'",
     "autoencoder, classify"),
    (("autoencoder[data=v.npy]", "i.npy"), "names its data, got --data 'i.npy' beside it", "leave one of them out"),
    (("autoencoder[in_blocks=true]", None), "in_blocks=true is of a file of your own, and digits has", "leave it out"),
    (("autoencoder[examples=5000]", "v.npy"), "examples=5000 cannot be taken of 720 training examples", "1 to 720"),
    (("autoencoder[data=my faces.npy]", None), "'my faces.npy' in 'autoencoder[data=my faces.npy]' is no",
     "double quotes"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "said", "cure"), BAD, ids=[" ".join(map(str, typed)) for typed, *_ in BAD])
def test_what_will_not_do_is_one_line_with_its_cure(typed, said, cure, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(content)
    workload, data = typed
    code, printed = ended(capsys, "run", "--workload", workload, *(("--data", data) if data else ()), "--out", "out")
    assert (code, printed.out) == (2, "")
    assert said in printed.err
    assert cure in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.long
@needs_files
def test_a_named_folder_of_sets_reaches_the_workers(tmp_path, cache):
    folder = os.environ["VAE_JAX_DATA"]
    command = ("run", "--workload", "autoencoder[widths=4x2,code=2]", "--data", "frey-faces", *LITTLE, "--out", "out")
    nowhere = {"VAE_JAX_CACHE": str(tmp_path / "cache")}
    without = bench(*command, folder=tmp_path, **nowhere)
    assert without.returncode == 2
    assert "frey_rawface.mat of frey-faces is not in" in without.stderr
    assert "--data-dir or VAE_JAX_DATA" in without.stderr
    ran = bench(*command, "--data-dir", folder, folder=tmp_path, **nowhere)
    assert ran.returncode == 0, ran.stderr
    # Where they lie is no part of what a cell is known by.
    (tmp_path / "elsewhere").symlink_to(folder)
    dry = bench(*command, "--dry-run", "--data-dir", "elsewhere", folder=tmp_path, **nowhere)
    assert "1 arm, 1 stored, 0 to run" in dry.stdout


@pytest.mark.parametrize("command", [("run",), ("list", "workloads"), ("check",)])
def test_a_folder_of_sets_that_is_none_is_said(command, capsys, monkeypatch):
    monkeypatch.delenv("VAE_JAX_DATA", raising=False)
    code, printed = ended(capsys, *command, "--data-dir", "nowhere")
    assert (code, printed.out) == (2, "")
    assert (
        printed.err == "error: --data-dir names 'nowhere', which is no folder: give one that holds data sets, or none\n"
    )
