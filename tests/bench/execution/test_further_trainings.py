"""What is trained beyond a suite's own trainings: confirmations, and trainings that are followed for longer."""

import numpy as np
import pytest

from bench.cli.main import main
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.results.results import Results
from bench.results.stored.store import Store
from bench.results.tables import load
from bench.training.arm_trainer import ArmTrainer

SMALL = ("--suite", "smoke", "--workload", "digits-dense[depth=1,width=32]", "--rates", "1", "--no-timing")
LEAVES = "tanh+orthogonal+adam"


def run(out, *options):
    with pytest.raises(SystemExit) as ended:
        main(["run", *SMALL, "--out", str(out), *options])
    assert ended.value.code == 0


def test_what_is_best_is_confirmed_with_its_base_on_fresh_seeds(tmp_path, cache, capsys):
    asked = ("--arms", f"baseline,{LEAVES}", "--seeds", "5", "--steps", "300", "--confirm")
    run(tmp_path / "out", *asked)
    assert capsys.readouterr().out.count("confirmed on 10 fresh seeds") == 2
    rows = {row.cell.arm: row for row in Results.read(Store(tmp_path / "out"), ()).rows}
    for row in rows.values():
        assert row.confirmation is not None
        # Neither of the three that tuning has, nor of the five that the claim was made on.
        assert [each.seed for each in row.confirmation.trainings] == list(range(8, 18))
        assert row.confirmation.learning_rate == row.record.learning_rate
    table = load(tmp_path / "out")[0].set_index("arm")
    assert table.loc[LEAVES, "word"] == "better"
    assert table.loc[LEAVES, "confirmed"] == "confirmed"
    own, base = (np.array(list(rows[arm].confirming_scores.values())) for arm in (LEAVES, "baseline"))
    assert table.loc[LEAVES, "confirmed_difference"] == pytest.approx(np.mean(own - base))
    # What is confirmed is not trained again.
    run(tmp_path / "out", *asked)
    assert "confirmed on" not in capsys.readouterr().out


def test_a_training_that_has_not_left_is_followed_for_longer_and_its_figures_stay(tmp_path, cache):
    asked = ("--arms", f"baseline,{LEAVES}", "--seeds", "2", "--steps", "200")
    run(tmp_path / "short", *asked)
    run(tmp_path / "long", *asked, "--patience", "450")
    short, long = (load(tmp_path / name)[0].set_index("arm") for name in ("short", "long"))
    assert short["score"].tolist() == long["score"].tolist()
    curves = load(tmp_path / "long", instruments="score")[1].query("split == 'validation'")
    stuck = curves.query("arm == 'baseline' and phase == 'prolonged'")
    assert stuck.groupby("seed")["step"].apply(list).to_dict() == {seed: [100, 200, 300, 400, 450] for seed in (3, 4)}
    # As far as it had been trained it is the same training.
    before = curves.query("arm == 'baseline' and phase == 'reporting'")
    assert stuck.query("step <= 200")["value"].tolist() == before["value"].tolist()
    (row,) = (row for row in Results.read(Store(tmp_path / "long"), ()).rows if row.cell.arm == "baseline")
    assert [each.step for each in row.escapes.values()] == [450, 450]
    assert curves.query(f"arm == '{LEAVES}' and phase == 'prolonged'").empty


def test_schedules_end_where_they_would_have_and_one_that_ends_at_0_is_that_long():
    plan = make_plan(
        load_catalogue(), suite="smoke", workload="digits-dense[depth=1,width=16]",
        arms="exponential_decay,linear_decay", steps=200, patience=400,
    )  # fmt: skip
    decays, ends = (ArmTrainer(plan.job(cell)).patient() for cell in plan.planned)
    rates, _ = decays._schedules(1.0)
    assert rates.shape == (5, 100)
    assert (rates.ravel()[200:] == rates.ravel()[199]).all()
    assert rates.ravel()[199] < 0.5
    rates, _ = ends._schedules(1.0)
    assert rates.ravel()[200] == pytest.approx(0.5, abs=0.01)


def test_patience_is_longer_than_a_training():
    with pytest.raises(InputError, match="patience must be more than the 200 steps of a training, got 100"):
        make_plan(load_catalogue(), suite="smoke", steps=200, patience=100)


def test_another_split_is_other_data_of_the_same_workload():
    plans = [make_plan(load_catalogue(), suite="smoke", split=split) for split in (None, 1)]
    assert [plan.loaded.text for plan in plans] == ["digits-dense", "digits-dense[split=1]"]
    one, other = (plan.loaded.dataset for plan in plans)
    assert one.train.shape == other.train.shape
    assert not np.array_equal(one.test, other.test)
    assert 0.01 < abs(plans[0].loaded.plateau - plans[1].loaded.plateau) < 1
    with pytest.raises(InputError, match="workload 'remember' has its data in one split, got --split 1"):
        make_plan(load_catalogue(), suite="smoke", workload="remember", split=1)
    with pytest.raises(InputError, match="names its split, got --split 1 beside it"):
        make_plan(load_catalogue(), suite="smoke", workload="digits-dense[split=2]", split=1)
