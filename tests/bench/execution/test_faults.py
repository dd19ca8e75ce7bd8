"""What goes wrong around a run: a clear sentence, a row that says so, and every finished cell intact."""

import errno
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

import bench.results.stored.store
from bench import load
from bench.cli.main import main
from bench.execution.device import Device
from bench.execution.executor import CellEnded, TrainingsEnded
from bench.execution.local import LocalExecutor
from bench.execution.run import find_work
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.results.stored.records import SCHEMA
from bench.results.stored.saved_model import TENSORS, unpack
from bench.results.stored.store import Store

TROUBLE = '''
import resource

import jax.numpy as jnp
import numpy as np
from bench import remedy

def large(x):
    # The limit stands for a small machine: what it lets through is what the process holds already, and little more.
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 2**26, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return x + float(np.ones(2**30).sum())

def poisoned(x):
    return x / (x - x)

@remedy(source="none", family="activation")
def too_large(recipe):
    """Asks for eight gigabytes where a few megabytes are left."""
    return recipe.replace(activation=large)

@remedy(source="none", family="activation")
def not_a_number(recipe):
    """Nothing but NaN."""
    return recipe.replace(activation=poisoned)
'''


CPU = Device("cpu", "cpu")
ARMS, WORKLOAD = "baseline,orthogonal,tiny_normal", "digits-dense[depth=2,width=16]"


class Replay:
    """An executor that hands out what cells have come to before: what is tested here happens around them."""

    device, slots, slot_words = CPU, 1, "cpu worker"

    def __init__(self, outcomes):
        self.outcomes = outcomes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, jobs, limit_seconds):
        for job in jobs:
            yield TrainingsEnded(job.most_trainings)
            outcome = self.outcomes[job.cell.identity]
            yield CellEnded(job, outcome if job.save else outcome._replace(model=None))

    def time(self, jobs, baseline, limit_seconds):
        assert not jobs, "what is replayed has not been timed"
        return iter(())


def arguments(out, arms=None, *options):
    return [
        "run", "--suite", "smoke", "--arms", arms or ARMS, "--seeds", "1", "--steps", "20", "--workers", "1",
        "--workload", WORKLOAD, "--no-timing", "--out", str(out), *options,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(cache):
    """What the cells of one real run came to, with their models, by their identities."""
    plan = make_plan(load_catalogue(), suite="smoke", workload=WORKLOAD, arms=ARMS, seeds=1, steps=20)
    with LocalExecutor(CPU, 1, cache) as executor:
        jobs = [replace(plan.job(cell), save=True) for cell in plan.planned]
        events = list(executor.run(jobs, limit_seconds=120))
    return {event.job.cell.identity: event.outcome for event in events if isinstance(event, CellEnded)}


@pytest.fixture
def run(capsys, cache):
    """A command in this process: its exit code and what it said."""

    def call(*given):
        with pytest.raises(SystemExit) as ended:
            main(arguments(*given))
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return call


@pytest.fixture
def replay(run, outcomes, monkeypatch):
    """The command with the outcomes of the real run, and no worker."""
    monkeypatch.setattr("bench.cli.commands.run.choose_executor", lambda *_: Replay(outcomes))
    return run


def contents(out):
    return {path.name: path.read_bytes() for path in (out / "cells").iterdir()}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.ESTALE])
def test_a_disk_that_fails_costs_no_finished_cell(replay, tmp_path, monkeypatch, code):
    out, written = tmp_path / "out", []
    whole = bench.results.stored.store.write_atomically

    def failing(path, data, **options):
        if len(written) == 3 and path.parent.name == "cells":
            raise OSError(code, os.strerror(code), str(path))
        written.append(path)
        whole(path, data, **options)

    monkeypatch.setattr(bench.results.stored.store, "write_atomically", failing)
    status, said = replay(out)
    assert status == 1
    assert re.search(rf"error: {os.strerror(code)} \(.*\): every finished cell is kept", said)
    assert "Traceback" not in said
    monkeypatch.setattr(bench.results.stored.store, "write_atomically", whole)
    before = contents(out)
    assert len(before) == 2
    assert all(Store(out).read(identity) for identity in Store(out).identities())
    assert "3 arms, 1 stored, 2 to run" in replay(out, None, "--dry-run")[1]
    assert contents(out) == before


def test_a_disk_that_is_really_full(replay, tmp_path):
    out = tmp_path / "small"
    out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", out], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        status, said = replay(out)
        assert status == 1
        assert "error: No space left on device" in said
        assert "Traceback" not in said
        cells = Store(out)
        assert all(cells.read(identity) for identity in cells.identities())
        assert not list((out / "cells").glob(".*.tmp"))
    finally:
        subprocess.run(["umount", out], check=True)


def test_a_folder_that_vanishes_is_said(replay, tmp_path, monkeypatch):
    out, gone = tmp_path / "out", []
    whole = bench.results.stored.store.write_atomically

    def vanishing(path, data, **options):
        if path.parent.name == "cells" and not gone:
            shutil.rmtree(out)
            gone.append(out)
        whole(path, data, **options)

    monkeypatch.setattr(bench.results.stored.store, "write_atomically", vanishing)
    status, said = replay(out)
    assert status == 1
    assert "error: No such file or directory" in said
    assert "Traceback" not in said


def test_what_runs_out_of_memory_or_of_numbers_is_a_row(run, tmp_path):
    (tmp_path / "trouble.py").write_text(TROUBLE)
    out = tmp_path / "out"
    status, _ = run(out, "too_large,not_a_number,baseline", "--plugin", str(tmp_path / "trouble.py"))
    assert status == 1
    table = load(out)[0].set_index("arm")
    assert dict(table["status"]) == {"too_large": "out of memory", "not_a_number": "diverged", "baseline": "ok"}
    assert table.loc["not_a_number", "reason"] == "all 5 tuning rates diverged"
    assert "memory" in table.loc["too_large", "reason"]


def test_a_damaged_record_is_set_aside_and_its_cell_runs_anew(replay, tmp_path):
    out = tmp_path / "out"
    assert replay(out)[0] == 0
    before = contents(out)
    records = sorted((out / "cells").glob("*.parquet"))
    records[0].write_bytes(b"x" + records[0].read_bytes()[1:])
    manifest = records[1].with_suffix(".json")
    manifest.write_text(manifest.read_text().replace(f'"schema": {SCHEMA}', '"schema": 99'))
    status, said = replay(out)
    assert status == 0
    assert "3 arms, 1 stored, 2 to run" in said
    assert f"damaged: {records[0].name} has another checksum than {records[0].stem}.json says" in said
    assert f"cells/{manifest.name} is of schema 99, and this version reads schema {SCHEMA}; its cell runs anew" in said
    assert len(list((out / "set_aside").iterdir())) == 4
    after = contents(out)
    assert {name: after[name] for name in before if name.endswith(".parquet")} == {
        name: data for name, data in before.items() if name.endswith(".parquet")
    }


@pytest.mark.long
def test_two_runs_on_one_folder(tmp_path, cache):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "bench", *arguments(out)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    said = [each.communicate(timeout=300)[0] for each in both]
    codes = [each.returncode for each in both]
    assert 0 in codes, said
    # Whoever came second has refused with a sentence, or has come when the first was done.
    for code, text in zip(codes, said, strict=True):
        if code != 0:
            assert code == 2
            assert "another run is writing to" in text
    store = Store(out)
    assert len(store.identities()) == 3
    assert all(store.read(identity) for identity in store.identities())


def test_a_cell_that_is_verified_and_comes_out_different_is_kept_aside(replay, tmp_path):
    out = tmp_path / "out"
    assert replay(out)[0] == 0
    before = contents(out)
    # The worker hands out records anew, as it does where a program is another one.
    status, said = replay(out, None, "--verify")
    assert status == 0
    assert "3 arms, 0 stored, 3 stored of other sources" in said
    aside = {path.name.replace(".0.", "."): path.read_bytes() for path in (out / "set_aside").iterdir()}
    assert aside == before
    assert len(contents(out)) == len(before) == 6


def test_a_cell_that_was_run_for_its_model_alone_keeps_its_record(replay, tmp_path, outcomes):
    out = tmp_path / "out"
    replay(out)
    before = contents(out)
    assert not (out / "models").exists()
    status, said = replay(out, None, "--save")
    assert status == 0
    assert "3 arms, 0 stored, 3 to run" in said
    size = sum(array.nbytes for outcome in outcomes.values() for array in unpack(outcome.model.files[TENSORS]).values())
    assert f"saves 3 models, {size / 1e3:.3g}kB; 3 arms are stored without, and run again for it\n" in said
    assert contents(out) == before
    assert not (out / "set_aside").exists()
    for identity, outcome in outcomes.items():
        assert Store(out).load_model(identity) == outcome.model
    assert "3 arms, 3 stored, 0 to run" in replay(out, None, "--save", "--dry-run")[1]


def test_a_model_of_other_figures_than_are_stored_brings_its_own(replay, tmp_path, outcomes, monkeypatch):
    out = tmp_path / "out"
    replay(out)
    before = contents(out)
    (name, outcome), *_ = outcomes.items()
    trainings = tuple(replace(each, score=each.score + 1e-6) for each in outcome.record.trainings)
    other = outcome._replace(record=replace(outcome.record, trainings=trainings))
    monkeypatch.setitem(outcomes, name, other)
    replay(out, None, "--save")
    assert Store(out).read(name) == other.record
    aside = {path.name.replace(".0.", "."): path.read_bytes() for path in (out / "set_aside").iterdir()}
    assert aside == {file: content for file, content in before.items() if file.startswith(name)}


def test_that_there_is_no_model_of_a_training_that_diverged_is_said_and_it_is_not_tried_again(
    replay, tmp_path, outcomes, monkeypatch
):
    (name, outcome), *_ = outcomes.items()
    (training,) = outcome.record.trainings
    record = replace(outcome.record, status="diverged", trainings=(replace(training, diverged_at=3),))
    monkeypatch.setitem(outcomes, name, outcome._replace(record=record, model=None))
    said = replay(tmp_path, None, "--save")[1]
    assert said.count("; no model is saved: its first seed's training diverged") == 1
    assert "3 arms, 3 stored, 0 to run" in replay(tmp_path, None, "--save", "--dry-run")[1]


def test_of_other_sources_a_cell_is_known_where_its_model_is_there(replay, tmp_path):
    replay(tmp_path, None, "--save")
    store = Store(tmp_path)
    plan = make_plan(load_catalogue(), suite="smoke", workload=WORKLOAD, arms=ARMS, seeds=1, steps=20)
    for cell in plan.planned:
        store.adopt(cell.identity, f"{cell.question}-{'0' * 16}", {})
        for path in [*tmp_path.glob(f"*/{cell.identity}.*")]:
            path.unlink()
    (tmp_path / "models" / f"{plan.planned[0].question}-{'0' * 16}.json").unlink()
    assert len(find_work(plan, store).known) == 3
    assert set(find_work(plan, store, save=True).known) == {cell.identity for cell in plan.planned[1:]}
