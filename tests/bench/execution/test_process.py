"""One cell as a worker runs it: one lane as on a CPU, several side by side as on a GPU."""

import jax
import numpy as np
import pytest

from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.results.tables import load
from bench.training.arm_trainer import ArmTrainer
from bench.training.cell import Ran, run_cell
from bench.training.curves import CurveWriter
from bench.training.timing import time_cell

SMALL = "digits-dense[depth=2,width=16]"


def jobs(arms, steps=130, seeds=3):
    plan = make_plan(load_catalogue(), suite="smoke", workload=SMALL, arms=arms, steps=steps, seeds=seeds)
    return {cell.arm: plan.job(cell) for cell in plan.planned}


def ran(job):
    outcome = run_cell(job, lambda: None)
    assert isinstance(outcome, Ran)
    return outcome.record, outcome.curves


def left(job):
    """What is left of a job's training."""
    trainer, found = ArmTrainer(job), []
    wanted = [(seed, trainer.recipe.learning_rate) for seed in job.protocol.reporting_seeds]
    trainer.trainings(wanted, "test", "reporting", CurveWriter(), lambda: None, found.append)
    (trained,) = found
    return trained


def figures(record):
    rows = [*record.tuning, *record.trainings]
    return np.array(
        [[getattr(row, name) or np.nan for name in ("score", "kl_nats", "gradient_ratio_end")] for row in rows]
    )


@pytest.mark.parametrize("arm", ["trainable", pytest.param("batch_norm+adam", marks=pytest.mark.long)])
def test_lanes_side_by_side_give_the_figures_of_single_trainings(arm, monkeypatch):
    (job,) = jobs(arm).values()
    alone, curves = ran(job)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    together, lanes = ran(job)
    np.testing.assert_allclose(figures(together), figures(alone), rtol=2e-3, atol=2e-3)
    assert [row.seed for row in together.trainings] == [3, 4, 5]
    assert together.parameters == alone.parameters
    keys = ["phase", "split", "seed", "learning_rate", "step", "instrument", "tower", "layer"]
    assert lanes[keys].equals(curves[keys])


def test_of_lanes_the_model_of_the_first_is_left(monkeypatch):
    (job,) = jobs("batch_norm", steps=30).values()
    alone = left(job)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for one, other in zip(*map(jax.tree.leaves, (left(job), alone)), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


def test_a_diverged_lane_does_not_end_the_others(monkeypatch):
    rates = [0.01, 1e7, 0.03, 1e7, 0.1]
    monkeypatch.setattr("bench.planning.protocol.Protocol.learning_rate", lambda _protocol, _scale, place: rates[place])
    (job,) = jobs("baseline").values()
    for backend in ("cpu", "gpu"):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        record, _ = ran(job)
        assert [row.diverged_at is None for row in record.tuning[:5]] == [True, False, True, False, True]
        assert record.learning_rate in (0.01, 0.03, 0.1)
        assert record.status == "ok"


def test_a_cell_records_its_start_and_its_end():
    (job,) = jobs("tanh").values()
    record, curves = ran(job)
    ratio = curves.query(
        "phase == 'reporting' and seed == 3 and instrument == 'hidden_gradient' and tower == 'encoder'"
    )
    for step, name in ((0, "gradient_ratio_init"), (130, "gradient_ratio_end")):
        values = ratio.query(f"step == {step}")["value"].to_numpy(float)
        assert getattr(record.trainings[0], name) == pytest.approx(values[1] / values[-1], rel=1e-5)
    validation = curves.query("split == 'validation' and instrument == 'kl_nats' and phase == 'tuning'")
    assert sorted(set(validation["step"])) == [100, 130]


def test_timing_is_of_the_same_work_twice_for_the_baseline():
    (job,) = jobs("baseline", steps=20).values()
    timing = time_cell(job, 0.03, job)
    assert len(timing.seconds_per_step) == len(timing.baseline_seconds_per_step) == 6
    # One program against itself: a factor of two would be two measures.
    assert 0.5 < timing.slowdown < 2
    assert timing.slowdown_low < timing.slowdown < timing.slowdown_high
    # Three products to a layer of two towers, and little else at this width.
    products = 3 * 2 * 128 * (64 * 16 + 16 * 64 + 16 * 16 + 8 * 16 + 4 * 16 * 16)
    assert products < timing.flops_per_step < 1.5 * products
    assert timing.examples_per_second == pytest.approx(128 / np.median(timing.seconds_per_step))


@pytest.mark.long
def test_quick_finds_what_it_must(tmp_path, cache):
    """The arms that the suite stands on, at full length: the plateau, and what leaves it."""
    from bench.cli.main import main

    leaving = [
        "tanh+orthogonal+adam", "relu+rezero+adam", "relu+pre_activation_residual+layer_norm+adam",
    ]  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(["run", "--arms", ",".join(["baseline", *leaving]), "--out", str(tmp_path)])
    assert ended.value.code == 0
    table = load(tmp_path)[0].set_index("arm")
    baseline = table.loc["baseline"]
    assert abs(baseline["score"] - baseline["plateau"]) < 0.2
    assert baseline["kl_nats"] < 0.05
    assert baseline["gradient_ratio_init"] < 1e-3
    for arm in leaving:
        assert table.loc[arm, "score"] < table.loc[arm, "plateau"] - 2.5
