import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import pytest

from bench.execution import worker
from bench.execution.device import Device
from bench.execution.executor import CellEnded, Failure, TrainingsEnded
from bench.execution.local import LocalExecutor
from bench.execution.waiting import Waiting
from bench.execution.worker import _in_process
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.plugins.source_file import load_plugin
from bench.training.cell import Ran

TROUBLE = '''
import os
import time
from bench import remedy

def sleeping(x):
    time.sleep(1000)

def dying(x):
    os._exit(7)

@remedy(source="none", family="activation")
def hangs(recipe):
    """Never returns."""
    return recipe.replace(activation=sleeping)

@remedy(source="none", family="activation")
def crashes(recipe):
    """Ends its process."""
    return recipe.replace(activation=dying)
'''

CPU = Device("cpu", "cpu")
SMALL = "digits-dense[depth=2,width=16]"


def make(arms, plugins=()):
    catalogue = load_catalogue(plugins)
    return make_plan(catalogue, suite="smoke", workload=SMALL, arms=arms, seeds=2, steps=20, plugins=plugins)


def test_a_free_worker_prefers_its_own_programs_then_new_ones_and_compositions_first():
    plan = make("baseline,gelu,orthogonal,gelu+he_normal,tanh")
    baseline, gelu, orthogonal, gelu_he, tanh = (plan.job(cell) for cell in plan.planned)
    home = {baseline.cell.program: 0, gelu.cell.program: 1}
    assert Waiting([gelu_he, tanh, orthogonal]).take(0, home) is orthogonal
    assert Waiting([gelu_he, tanh, orthogonal]).take(1, home) is gelu_he
    assert Waiting([gelu_he, tanh]).take(0, home) is tanh
    assert Waiting([gelu_he]).take(0, home) is gelu_he
    assert Waiting([tanh, gelu, gelu_he]).take(2, {}) is gelu_he
    waiting = Waiting([gelu, gelu_he])
    assert [waiting.take(0, home), waiting.take(0, home)] == [gelu_he, gelu]
    assert not waiting


def test_each_of_ten_thousand_cells_is_taken_once_and_a_worker_changes_program_only_when_its_own_is_done():
    (cell,) = make("baseline").planned
    job = make("baseline").job(cell)
    jobs = [replace(job, cell=replace(cell, identity=str(n), program=n % 20)) for n in range(10_000)]
    waiting, home, last = Waiting(jobs), {}, {}
    taken, changes = [], 0
    while waiting:
        worker = len(taken) % 4
        taken.append(waiting.take(worker, home))
        program = taken[-1].cell.program
        changes += last.get(worker) != program
        home[program], last[worker] = worker, program
    assert sorted(each.cell.identity for each in taken) == sorted(each.cell.identity for each in jobs)
    assert changes == 20


def test_cells_of_one_program_are_compiled_once(cache):
    plan = make("baseline,orthogonal,kl_warmup")
    with LocalExecutor(CPU, 1, cache) as executor:
        events = list(executor.run([plan.job(cell) for cell in plan.planned], limit_seconds=120))
    assert sum(event.count for event in events if isinstance(event, TrainingsEnded)) == 3 * plan.protocol.most_trainings
    ended = [event.outcome for event in events if isinstance(event, CellEnded)]
    records = [outcome.record for outcome in ended if isinstance(outcome, Ran)]
    assert len(records) == 3
    # The later cells of a program report the same compilation, to the last digit: it was not compiled again.
    assert len({record.compile_seconds for record in records}) == 1


def test_before_a_cell_of_another_program_a_worker_lets_go(monkeypatch):
    told = []
    monkeypatch.setattr(worker, "_program", None)
    monkeypatch.setattr(worker, "let_go", lambda **_: told.append("let go"))
    plan = make("baseline,tiny_normal,gelu")
    assert [cell.program for cell in plan.planned] == [0, 0, 1]
    for cell in plan.planned:
        _in_process(lambda job: told.append(job.cell.arm), plan.job(cell))
    assert told == ["let go", "baseline", "tiny_normal", "let go", "gelu"]


@pytest.mark.parametrize(
    ("arm", "limit", "status", "said"),
    [("hangs", 6, "timeout", "took longer"), ("crashes", 120, "failed", "code 7")],
)
def test_a_worker_that_hangs_or_dies_is_replaced_and_the_others_go_on(tmp_path, cache, arm, limit, status, said):
    path = tmp_path / "trouble.py"
    path.write_text(TROUBLE)
    plan = make(f"{arm},baseline", (str(path),))
    with LocalExecutor(CPU, 1, cache) as executor:
        first, other = (plan.job(cell) for cell in plan.planned)
        # What hangs is tried twice, each time as long as it may take: no longer than needed.
        events = [*executor.run([first], limit), *executor.run([other], limit_seconds=120)]
    outcomes = {event.job.cell.arm: event.outcome for event in events if isinstance(event, CellEnded)}
    failure = outcomes[arm]
    assert isinstance(failure, Failure)
    assert failure.status == status
    assert said in failure.reason
    assert not isinstance(outcomes["baseline"], Failure)


@pytest.mark.parametrize(("visible", "wanted"), [(None, ["0", "1", "0"]), ("3,5", ["3", "5", "3"])])
def test_every_gpu_has_a_worker_of_its_own(monkeypatch, visible, wanted):
    places = []
    monkeypatch.setattr("bench.execution.local.Worker", lambda *given: places.append(given[:2]))
    LocalExecutor(Device("gpu", "NVIDIA H200", 2), 3, Path("unused"))
    assert [device for device, _ in places] == ["gpu"] * 3
    code = (
        "import sys; from bench.execution.process import configure_process; import os; "
        "configure_process('gpu', int(sys.argv[1]), sys.argv[2]); print(os.environ['CUDA_VISIBLE_DEVICES'])"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": visible or ""}
    seen = [
        subprocess.run(
            [sys.executable, "-c", code, str(place), "unused"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _, place in places
    ]
    assert seen == wanted


def test_what_jax_says_of_a_plugin_comes_back_with_its_line(tmp_path):
    """Its errors about tracing do not survive the way between processes: what travels is words."""
    path = tmp_path / "branches.py"
    path.write_text("def raises(x):\n    return 1 if x > 0 else 2\n")
    (module,) = load_plugin(str(path))
    plan = make("baseline")
    job = replace(plan.job(plan.baseline), plugins=(str(path),))
    failure = _in_process(lambda _: jax.eval_shape(module.raises, 1.0), job)
    assert failure.reason.startswith("TracerBoolConversionError: Attempted boolean conversion of traced array")
    assert failure.reason.endswith(f"; mend it in {path}, line 2")
    assert pickle.loads(pickle.dumps(failure)) == failure
