import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.language.errors import InputError
from bench.results.published import Published
from bench.results.tables import write_tables
from bench.results.two_runs import two_runs
from tests.bench.fake_store import PLATEAU, build, read

ARMS = ["baseline", "tanh", "selu", "pre_activation_residual", "clip_by_global_norm"]


@pytest.fixture
def runs(tmp_path):
    """Two runs of one plan, of which the second's tanh is half a nat better and its selu gone."""
    folders = []
    for name in ("one", "other"):
        store = build(
            tmp_path / name, ARMS if name == "one" else ["baseline", "tanh", "pre_activation_residual"], seeds=5
        )
        if name == "other":
            cell = next(cell for cell in store.read_plan().cells if cell.arm == "tanh")
            stored = store.load(cell.identity)
            better = tuple(replace(each, score=(each.score or 0) - 0.5) for each in stored.record.trainings)
            changed = replace(
                stored.record, trainings=better, versions={"jax": "0.11.2"}, recipe={"activation": "mish"}
            )
            store.write(changed, stored.curves())
        write_tables(read(store))
        folders.append(tmp_path / name)
    return folders


def beside(runs, **asked):
    one, other = map(Published.read, runs)
    found = two_runs(one, other, **asked)
    return {each.arm: each for each in found.arms}, found


def test_what_is_real_and_what_is_not(runs):
    arms, _ = beside(runs)
    assert arms["tanh"].comparison.word == "better"
    assert arms["tanh"].comparison.difference.mean == pytest.approx(-0.5)
    assert arms["tanh"].paired
    assert arms["tanh"].gains[1] - arms["tanh"].gains[0] == pytest.approx(0.5)
    assert arms["baseline"].comparison.word == "no difference shown"
    # A seed that diverged is on the plateau in both.
    assert arms["pre_activation_residual"].comparison.word == "no difference shown"
    assert arms["tanh"].changes == {"activation": ("sigmoid", "mish"), "optimizer": ("sgd", None)}


def test_what_was_left_out_and_what_else_differs_is_said(runs):
    _, found = beside(runs)
    said = " ".join(found.said)
    assert f"Only in {runs[0]}: selu, clip_by_global_norm." in said
    assert "jax 0.10.2 -> 0.11.2" in said
    assert not found.machines


def test_speeds_of_other_machines_are_not_compared(runs):
    path = runs[1] / "about.json"
    about = json.loads(path.read_text())
    about["machines"][0]["name"] = "Another CPU"
    path.write_text(json.dumps(about))
    assert beside(runs)[1].machines


def test_of_former_tables_the_intervals_are_enough(runs):
    for folder in runs:
        (folder / "trainings.parquet").unlink()
        (folder / "about.json").unlink()
    table = pd.read_csv(runs[0] / "summary.csv").rename(columns=lambda name: name.replace("score", "negative_elbo"))
    table.to_csv(runs[0] / "summary.csv", index=False)
    arms, found = beside(runs)
    assert not arms["tanh"].paired
    assert arms["tanh"].comparison.word == "better"
    rows = [pd.read_csv(folder / "summary.csv").set_index("arm").loc["tanh"] for folder in runs]
    names = ("negative_elbo", "score")
    half = stats.t.ppf(0.975, 4) / np.sqrt(5)
    spread = [(row[f"{name}_high"] - row[name]) / half for row, name in zip(rows, names, strict=True)]
    expected = stats.ttest_ind_from_stats(rows[1]["score"], spread[1], 5, rows[0]["negative_elbo"], spread[0], 5, False)
    assert arms["tanh"].comparison.p == pytest.approx(min(1, expected.pvalue * len(arms)), rel=1e-6)
    assert "is not known" in found.said[-1]


def test_another_plateau_is_compared_by_gains(runs):
    table = pd.read_csv(runs[1] / "summary.csv")
    for name in ("score", "score_low", "score_high", "plateau"):
        table[name] += 3
    table.to_csv(runs[1] / "summary.csv", index=False)
    every = pd.read_parquet(runs[1] / "trainings.parquet")
    every["score"] += 3
    every.to_parquet(runs[1] / "trainings.parquet")
    arms, _ = beside(runs)
    assert not arms["tanh"].paired
    assert arms["tanh"].comparison.difference.mean == pytest.approx(-0.5)


def test_some_arms(runs):
    arms, _ = beside(runs, arms=["tanh"])
    assert list(arms) == ["tanh"]
    with pytest.raises(InputError, match="has no arm 'relu'"):
        beside(runs, arms=["relu"])


def test_what_is_no_result_is_said_in_a_sentence(runs, tmp_path):
    with pytest.raises(InputError, match=r"holds no summary\.csv: give a folder"):
        Published.read(tmp_path)
    (runs[0] / "summary.csv").unlink()
    with pytest.raises(InputError, match=r"holds no summary\.csv: python -m bench report"):
        Published.read(runs[0])
    (runs[1] / "trainings.parquet").write_bytes(b"half")
    with pytest.raises(InputError, match=r"trainings\.parquet' cannot be read"):
        Published.read(runs[1])
    (runs[1] / "summary.csv").write_text("")
    with pytest.raises(InputError, match=r"summary\.csv' cannot be read"):
        Published.read(runs[1])
    (runs[1] / "summary.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no column 'arm' and 'status' and 'workload'"):
        Published.read(runs[1])


def test_other_workloads_have_nothing_in_common(runs, tmp_path):
    shutil.copytree(runs[1], tmp_path / "elsewhere")
    for name in ("summary.csv",):
        text = (tmp_path / "elsewhere" / name).read_text()
        (tmp_path / "elsewhere" / name).write_text(text.replace("digits-dense", "remember"))
    with pytest.raises(InputError, match="have no workload in common: digits-dense and remember"):
        beside((runs[0], tmp_path / "elsewhere"))


def test_every_training_is_published(runs):
    every = Published.read(runs[0]).trainings
    assert every is not None
    fresh = every.query("arm == 'tanh' and phase == 'reporting'")
    assert fresh["seed"].tolist() == [1, 2, 3, 4, 5]
    table = pd.read_csv(runs[0] / "summary.csv").set_index("arm")
    mean = np.mean(fresh["score"].to_numpy(float))
    assert table["score"].to_dict()["tanh"] == pytest.approx(mean)
    assert table["gain"].to_dict()["tanh"] == pytest.approx(PLATEAU - mean)
    assert every["diverged_at"].dropna().tolist().count(400) == 1
