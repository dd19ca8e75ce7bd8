"""Cells through a Ray cluster on loopback: the same numbers as on this machine, whatever dies on the way."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.execution import ray_cluster, ray_node
from bench.execution.device import Device
from bench.execution.executor import CellEnded, Failure, TrainingsEnded
from bench.execution.local import LocalExecutor
from bench.execution.ray_cluster import RayExecutor, groups
from bench.execution.ray_node import NodeDiffersError, NodeSetup, installed, run_group
from bench.execution.run import CellStored, execute, find_work
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.results.stored.records import DeviceRecord
from bench.results.stored.store import Store

# Ray leaves sockets and log files to the garbage collector, and warns of its own future.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]

# A plugin that tells which process of Ray's has asked for it: MARKS holds a line for each task that has begun.
PLUGIN = '''
import os
from bench import remedy
from jax.nn import initializers

with open({marks!r}, "a") as marks:
    print(os.getppid(), file=marks)

def broken(x):
    raise RuntimeError("no such activation")

def dying(key, shape, dtype, role):
    os._exit(7)

def sleeping(key, shape, dtype, role):
    import time
    time.sleep(1000)

@remedy(source="none", family="activation")
def raises(recipe):
    """Raises when it is traced."""
    return recipe.replace(activation=broken)

@remedy(source="none", family="initialization")
def crashes(recipe):
    """Ends its process."""
    return recipe.replace(kernel_init=dying)

@remedy(source="none", family="initialization")
def hangs(recipe):
    """Never returns."""
    return recipe.replace(kernel_init=sleeping)
'''

SMALL = "digits-dense[depth=2,width=16]"

# What differs between two runs of one cell on one machine.
TIMES = ("compile_seconds", "train_seconds", "finished", "traceback")


def make(arms, plugins=(), steps=20):
    catalogue = load_catalogue(plugins)
    return make_plan(catalogue, suite="smoke", workload=SMALL, arms=arms, seeds=2, steps=steps, plugins=plugins)


@pytest.fixture
def plugin(tmp_path):
    path, marks = tmp_path / "trouble.py", tmp_path / "marks"
    path.write_text(PLUGIN.format(marks=str(marks)))
    return (str(path),), lambda: [int(line) for line in marks.read_text().splitlines()]


@contextmanager
def cluster_of(nodes):
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed: pip install '.[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        others = [cluster.add_node(num_cpus=1) for _ in range(nodes - 1)]
        yield cluster, others
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def address(cache):
    """A cluster of two nodes with a core each."""
    with cluster_of(2) as (cluster, _):
        yield cluster.address


def stored(directory):
    """The records of a store without their times: curves as bytes, manifests as dictionaries."""
    curves = {path.name: path.read_bytes() for path in (directory / "cells").glob("*.parquet")}
    manifests = {path.name: json.loads(path.read_text()) for path in (directory / "cells").glob("*.json")}
    return curves, {
        name: {key: value for key, value in manifest.items() if key not in TIMES}
        for name, manifest in manifests.items()
    }


def models(directory):
    """The numbers of the models that are kept, by the cells' identities."""
    return {path.name: path.read_bytes() for path in (directory / "models").glob("*.safetensors")}


def run_local(plan, directory, cache, save=False):
    store = Store(directory)
    store.require_writable()
    with LocalExecutor(Device("cpu", "cpu"), 2, cache) as executor:
        return list(execute(find_work(plan, store, save=save), executor))


def test_groups_hold_one_program_and_every_cell_once():
    job = make("baseline").job(make("baseline").planned[0])
    jobs = [replace(job, cell=replace(job.cell, identity=str(n), program=n % 20)) for n in range(10_000)]
    made = groups(jobs, slots=4)
    assert sorted(each.cell.identity for group in made for each in group) == sorted(map(str, range(10_000)))
    assert all(len({each.cell.program for each in group}) == 1 for group in made)
    assert {len(group) for group in made} == {8, 4}
    # With more slots than cells of each program, each cell is a group: no slot is left without work.
    assert {len(group) for group in groups(jobs[:30], slots=64)} == {1}
    assert groups([], slots=0) == []


def test_compositions_start_first():
    plan = make("baseline,gelu,tanh+adam,gelu+he_normal")
    made = groups([plan.job(cell) for cell in plan.planned], slots=2)
    assert [[job.cell.arm for job in group] for group in made] == [
        ["tanh+adam"], ["gelu+he_normal", "gelu"], ["baseline"],
    ]  # fmt: skip


def test_a_node_of_other_versions_is_named_and_computes_nothing():
    device = Device("cpu", "cpu")
    setup = {**installed(), "jax": "0.1"}
    with pytest.raises(NodeDiffersError, match=r"has jax 0\..* made with 0\.1: .*install the same there"):
        next(run_group([], NodeSetup(device, setup, "", {}, 60)))
    with pytest.raises(NodeDiffersError, match="computed on 'cpu', where the plan was made for 'NVIDIA H200'"):
        ray_node._require_device(DeviceRecord("cpu", "Xeon", 2), Device("gpu", "NVIDIA H200"))


def test_without_ray_the_cure_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--executor", "ray"])
    assert ended.value.code == 2
    assert "pip install '.[ray]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:9", "no Ray cluster at address '127.0.0.1:9' (Connection refused): ray start --head starts one"),
        ("nonsense", "no Ray cluster at address 'nonsense'"),
        ("ray://head:10001", "is a Ray Client's, which cannot stream results"),
    ],
)
def test_an_address_without_a_cluster_ends_with_a_sentence(address, said, capsys):
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--executor", "ray", "--address", address])
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_retries_are_a_whole_number(monkeypatch):
    monkeypatch.delenv("RAY_TASK_MAX_RETRIES", raising=False)
    assert ray_cluster._retries() == 3
    for asked in ("1", "-1"):
        monkeypatch.setenv("RAY_TASK_MAX_RETRIES", asked)
        assert ray_cluster._retries() == int(asked)
    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", "often")
    with pytest.raises(InputError, match="RAY_TASK_MAX_RETRIES is 'often', no whole number: set one"):
        ray_cluster._retries()


def test_a_connection_leaves_signals_to_the_command(address):
    before = signal.getsignal(signal.SIGTERM)
    with RayExecutor(address):
        assert signal.getsignal(signal.SIGTERM) is before


def test_the_store_of_a_cluster_is_the_store_of_this_machine(address, cache, tmp_path, plugin, monkeypatch):
    # Set where the command is given, after the cluster has started: the last digits depend on it.
    monkeypatch.setenv("XLA_FLAGS", os.environ["XLA_FLAGS_OUTSIDE"])
    plugins, _ = plugin
    plan = make("baseline,orthogonal,tiny_normal,raises", plugins)
    store = Store(tmp_path / "cluster")
    store.require_writable()
    with RayExecutor(address) as executor:
        events = list(execute(find_work(plan, store, save=True), executor))
    run_local(plan, tmp_path / "local", cache, save=True)
    assert stored(tmp_path / "cluster") == stored(tmp_path / "local")
    assert len(models(tmp_path / "cluster")) == 3
    assert models(tmp_path / "cluster") == models(tmp_path / "local")
    records = {event.record.arm: event.record for event in events if isinstance(event, CellStored)}
    assert {arm: record.status for arm, record in records.items()} == {
        **dict.fromkeys(("baseline", "orthogonal", "tiny_normal"), "ok"), "raises": "failed",
    }  # fmt: skip
    assert sum(event.count for event in events if isinstance(event, TrainingsEnded)) == 4 * plan.protocol.most_trainings
    # One compilation, to the last digit: cells of one program that are one group went to one worker.
    assert records["baseline"].compile_seconds == records["orthogonal"].compile_seconds
    # The plugin's text went to the node, and not its path.
    assert "vae-jax-plugins-" in records["raises"].traceback
    assert all(store.read_timing(cell.identity) for cell in plan.planned if cell.arm != "raises")


@pytest.mark.long
def test_a_cell_that_ends_its_process_costs_its_group_nothing_else(address, plugin, monkeypatch):
    # Ray's own setting.
    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", "1")
    plan = make("baseline,crashes,orthogonal,gelu,gelu+he_normal,tanh", plugin[0])
    assert len({cell.program for cell in plan.planned if cell.arm in ("baseline", "crashes", "orthogonal")}) == 1
    with RayExecutor(address) as executor:
        jobs = [plan.job(cell) for cell in plan.planned]
        assert ["baseline", "crashes", "orthogonal"] in [
            [job.cell.arm for job in group] for group in groups(jobs, executor.slots)
        ]
        events = list(executor.run(jobs, limit_seconds=120))
    ended = [event for event in events if isinstance(event, CellEnded)]
    outcomes = {event.job.cell.arm: event.outcome for event in ended}
    assert len(ended) == len(outcomes) == 6
    failure = outcomes.pop("crashes")
    assert isinstance(failure, Failure)
    assert (failure.status, failure.reason) == ("failed", "its worker ended without a word, exit code 7")
    assert not [arm for arm, outcome in outcomes.items() if isinstance(outcome, Failure)]
    assert sum(event.count for event in events if isinstance(event, TrainingsEnded)) == 6 * plan.protocol.most_trainings


@pytest.mark.long
def test_a_cell_that_hangs_is_a_timeout(address, plugin, monkeypatch):
    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", "1")
    plan = make("hangs,baseline", plugin[0])
    with RayExecutor(address) as executor:
        events = list(executor.run([plan.job(cell) for cell in plan.planned], limit_seconds=30))
    outcomes = {event.job.cell.arm: event.outcome for event in events if isinstance(event, CellEnded)}
    assert isinstance(outcomes["hangs"], Failure)
    assert outcomes["hangs"].status == "timeout"
    assert outcomes["hangs"].reason == "took longer than 30 s, so its worker was ended"
    assert not isinstance(outcomes["baseline"], Failure)


def test_a_cluster_of_other_sources_ends_the_run(address, monkeypatch):
    plan = make("baseline,gelu")
    setup = {**installed(), "sources of bench": "ours"}
    monkeypatch.setattr(ray_cluster, "installed", lambda: setup)
    with RayExecutor(address) as executor, pytest.raises(InputError, match=r"sources of bench .* made with ours"):
        list(executor.run([plan.job(cell) for cell in plan.planned], limit_seconds=60))


@pytest.mark.long
def test_a_killed_worker_and_a_lost_node_leave_the_same_store(cache, tmp_path, plugin):
    plugins, marks = plugin
    plan = make("baseline,orthogonal,gelu,gelu+he_normal,tanh,selu,tanh+adam,elu", plugins)
    begun_by_planning = len(marks())
    store = Store(tmp_path / "cluster")
    store.require_writable()
    finished, killed = [], []
    with cluster_of(2) as (cluster, (other,)):
        executor = RayExecutor(cluster.address)
        assert executor.slots == 2
        for event in execute(find_work(plan, store), executor):
            if isinstance(event, CellStored):
                finished.append(event.record.arm)
                assert event.record.status == "ok", event.record.reason
            processes = sorted(set(marks()[begun_by_planning:]))
            # In the middle of a cell, when both nodes are at work.
            if isinstance(event, TrainingsEnded) and event.count == 1 and len(processes) > 1:
                if not killed:
                    killed.append("worker")
                    os.kill(marks()[-1], signal.SIGKILL)
                elif killed == ["worker"] and len(finished) >= 3:
                    killed.append("node")
                    cluster.remove_node(other, allow_graceful=False)
    assert killed == ["worker", "node"]
    assert sorted(finished) == sorted(cell.arm for cell in plan.planned)
    # Something was begun twice: what was killed was at work. (Timing is a task for each program.)
    timings = len({cell.program for cell in plan.planned})
    assert len(marks()) - begun_by_planning - timings > len(groups([plan.job(cell) for cell in plan.planned], slots=2))
    run_local(plan, tmp_path / "local", cache)
    assert stored(tmp_path / "cluster") == stored(tmp_path / "local")
    assert not find_work(plan, store).missing
    assert not find_work(plan, store).untimed


@pytest.mark.long
def test_control_c_takes_back_what_runs_and_the_same_command_goes_on(address, tmp_path):
    arguments = ("run", "--executor", "ray", "--address", address, "--suite", "smoke", "--workload", SMALL,
                 "--steps", "21", "--out", str(tmp_path / "out"))  # fmt: skip
    heeds = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    process = subprocess.Popen(
        [sys.executable, "-c", heeds + "runpy.run_module('bench', run_name='__main__')", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("[1/5]"):
            break
    assert "on 2 cpu slots of the Ray cluster" in said[0]
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == "stopped; every finished cell is stored, and the same command goes on from there\n"
    cells = len(list((tmp_path / "out" / "cells").glob("*.json")))
    assert 1 <= cells < 5
    again = subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert again.stderr == ""
    assert f"5 arms, {cells} stored, {5 - cells} to run" in again.stdout
    assert Path(tmp_path / "out" / "report.html").exists()
