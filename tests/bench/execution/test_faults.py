"""What goes wrong around a run: a clear sentence, a row that says so, and every finished cell intact."""

import errno
import os
import re
import shutil
import subprocess
import sys

import pytest

import bench.results.store
from bench import load
from bench.cli.main import main
from bench.execution.device import Device
from bench.execution.executor import CellEnded, TrainingsEnded
from bench.execution.local import LocalExecutor
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.results.store import Store

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
            yield TrainingsEnded(job.protocol.trainings)
            yield CellEnded(job, self.outcomes[job.cell.identity])


def arguments(out, arms=None, *options):
    return [
        "run", "--suite", "smoke", "--arms", arms or ARMS, "--seeds", "1", "--steps", "20", "--workers", "1",
        "--workload", WORKLOAD, "--no-timing", "--out", str(out), *options,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(cache):
    """What the cells of one real run came to, by their identities."""
    plan = make_plan(load_catalogue(), suite="smoke", workload=WORKLOAD, arms=ARMS, seeds=1, steps=20)
    with LocalExecutor(CPU, 1, cache) as executor:
        events = list(executor.run([plan.job(cell) for cell in plan.planned], limit_seconds=120))
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
    whole = bench.results.store.write_atomically

    def failing(path, data, **options):
        if len(written) == 3 and path.parent.name == "cells":
            raise OSError(code, os.strerror(code), str(path))
        written.append(path)
        whole(path, data, **options)

    monkeypatch.setattr(bench.results.store, "write_atomically", failing)
    status, said = replay(out)
    assert status == 1
    assert re.search(rf"error: {os.strerror(code)} \(.*\): every finished cell is kept", said)
    assert "Traceback" not in said
    monkeypatch.setattr(bench.results.store, "write_atomically", whole)
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
    whole = bench.results.store.write_atomically

    def vanishing(path, data, **options):
        if path.parent.name == "cells" and not gone:
            shutil.rmtree(out)
            gone.append(out)
        whole(path, data, **options)

    monkeypatch.setattr(bench.results.store, "write_atomically", vanishing)
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
    manifest.write_text(manifest.read_text().replace('"schema": 3', '"schema": 99'))
    status, said = replay(out)
    assert status == 0
    assert "3 arms, 1 stored, 2 to run" in said
    assert f"damaged: {records[0].name} has another checksum than {records[0].stem}.json says" in said
    assert f"cells/{manifest.name} is of schema 99, and this version reads schema 3; its cell runs anew" in said
    assert len(list((out / "set_aside").iterdir())) == 4
    after = contents(out)
    assert {name: after[name] for name in before if name.endswith(".parquet")} == {
        name: data for name, data in before.items() if name.endswith(".parquet")
    }


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
