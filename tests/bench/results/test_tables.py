import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.language.errors import InputError
from bench.report.conclusions import conclusions
from bench.report.plots import PLOTS
from bench.report.publish import publish
from bench.results.columns import COLUMNS
from bench.results.judging.score import NEGATIVE_LOG_LIKELIHOOD, Score
from bench.results.judging.statistics import student_t
from bench.results.stored.records import CellRecord, ConfirmationRecord, TrainingRecord
from bench.results.stored.store import CURVE_COLUMNS, Store
from bench.results.tables import columns_markdown, load, missing, mostly_left, readable, shown, write_tables
from tests.bench.fake_store import PLATEAU, build, read

NAMES = [column.name for column in COLUMNS]
ARMS = ["baseline", "tanh", "pre_activation_residual", "clip_by_global_norm", "beta[weight=1.0]", "free_bits"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(tmp_path_factory.mktemp("store"), ARMS, seeds=3, steps=200, depth=2)


@pytest.fixture(scope="module")
def table(store: Store) -> pd.DataFrame:
    return read(store).summary.set_index("arm", drop=False)


def record(store: Store, arm: str) -> CellRecord:
    return next(row.record for row in read(store).rows if row.cell.arm == arm)


def test_rows_are_the_plans_cells_in_its_order(table: pd.DataFrame) -> None:
    assert list(table["arm"]) == ARMS
    assert list(table.columns) == NAMES
    assert list(table["status"]) == ["ok", "ok", "diverged", "missing", "not applicable", "failed"]
    assert missing(table) == ["clip_by_global_norm"]
    assert "nothing" in table.loc["beta[weight=1.0]", "reason"]


def test_interval_agrees_with_scipy(store: Store, table: pd.DataFrame) -> None:
    values = [training.score or math.nan for training in record(store, "tanh").trainings]
    row = table.loc["tanh"]
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert row["score"] == pytest.approx(np.mean(values), rel=1e-12)
    assert (row["score_low"], row["score_high"]) == pytest.approx((low, high), rel=1e-12)


def test_gradient_ratio_is_a_geometric_mean(store: Store, table: pd.DataFrame) -> None:
    ratios = [training.gradient_ratio_init or math.nan for training in record(store, "baseline").trainings]
    assert table.loc["baseline", "gradient_ratio_init"] == pytest.approx(math.prod(ratios) ** (1 / 3), rel=1e-12)


def test_underflowed_gradient_has_ratio_zero(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline"], seeds=2, steps=50, depth=1)
    cell = record(store, "baseline")
    first = replace(cell.trainings[0], gradient_ratio_end=0.0)
    store.write(replace(cell, trainings=(first, *cell.trainings[1:])), store.load(cell.identity).curves())
    row = read(store).summary.iloc[0]
    assert row["gradient_ratio_end"] == 0
    assert row["gradient_ratio_init"] > 0


def test_a_seed_that_diverged_has_gained_nothing_and_is_not_dropped(store: Store, table: pd.DataFrame) -> None:
    row = table.loc["pre_activation_residual"]
    assert (row["seeds_diverged"], row["seeds"]) == (1, 3)
    scores = [training.score for training in record(store, "pre_activation_residual").trainings]
    imputed = [PLATEAU if score is None else score for score in scores]
    assert row[["score", "score_low", "score_high"]].tolist() == pytest.approx(list(student_t(imputed)))
    assert row["gain"] == pytest.approx(PLATEAU - row["score"])
    # What it would have come to nobody knows.
    assert row[["reconstruction", "kl_nats", "gradient_ratio_end"]].isna().all()
    # It had not diverged yet at initialisation.
    assert row["gradient_ratio_init"] > 0


def test_one_seed_has_a_mean_and_no_interval(tmp_path: Path) -> None:
    row = read(build(tmp_path, ["tanh"], seeds=1, steps=50, depth=1)).summary.iloc[0]
    assert math.isfinite(row["score"])
    assert math.isnan(row["score_low"])


def test_of_each_arm_it_is_told_how_many_seeds_left(table: pd.DataFrame) -> None:
    # A cell that failed has left with none of the seeds that were asked for; one that is not there has none.
    left = {"baseline": 0, "tanh": 3, "pre_activation_residual": 0, "free_bits": 0}
    assert table["left"].dropna().to_dict() == left
    assert table["seeds"].dropna().to_dict() == dict.fromkeys(left, 3)
    assert table.loc["tanh", ["left_low", "left_high"]].tolist() == pytest.approx([0.2924, 1], abs=1e-4)
    assert mostly_left(table).to_dict() == {arm: arm == "tanh" for arm in ARMS}
    assert table.loc["tanh", "score_left"] == pytest.approx(table.loc["tanh", "score"])
    assert math.isnan(table.loc["baseline", "score_left"])


def test_an_arm_is_compared_with_its_base(table: pd.DataFrame) -> None:
    assert table.loc["tanh", "word"] == "better, screened"
    assert table.loc["tanh", "difference"] == pytest.approx(table.loc["tanh", "score"] - table.loc["baseline", "score"])
    assert table.loc["baseline", "word"] == ""
    # A cell that failed is as if all its seeds were on the plateau.
    assert table.loc["free_bits", "word"] == "no difference shown, screened"
    assert pd.isna(table.loc["clip_by_global_norm", "word"])


def test_what_was_confirmed_is_said(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh", "selu"], seeds=5, steps=50, depth=1)
    for arm, better in (("baseline", 0.0), ("tanh", 2.0), ("selu", 0.0)):
        cell = record(store, arm)
        again = tuple(
            replace(each, seed=9 + each.seed, score=PLATEAU - better + 0.01 * each.seed) for each in cell.trainings
        )
        rate = cell.learning_rate
        assert rate is not None
        store.write_confirmation(ConfirmationRecord(cell.identity, rate, again, None, "2026-11-27"))
    table = read(store).summary.set_index("arm")
    assert table["confirmed"].to_dict() == {"baseline": "", "tanh": "confirmed", "selu": "not confirmed"}
    assert table.loc["tanh", "confirmed_difference"] == pytest.approx(-2)
    # At another rate than the cell's it is of no use.
    cell = record(store, "tanh")
    store.write(replace(cell, learning_rate=0.5), store.load(cell.identity).curves())
    assert read(store).summary.set_index("arm").loc["tanh", "confirmed"] == ""


def test_a_workload_is_judged_by_its_own_score(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh", "gelu"], seeds=3, steps=50, depth=1)
    # A score of many times this size and below 0, of a model without z.
    error = Score("squared error", "per image", margin=50.0)
    plan = store.read_plan()

    def shifted(training: TrainingRecord) -> TrainingRecord:
        value = None if training.score is None else 100 * (training.score - 40)
        return TrainingRecord(training.seed, training.learning_rate, training.diverged_at, value, value)

    plateau = 100 * (PLATEAU - 40)
    workload = replace(
        plan.workloads["digits-dense"], score=error, plateau=plateau, plateau_validation=plateau, latent=None,
        layers={"layers": 3},
    )  # fmt: skip
    for cell in plan.cells:
        stored = store.load(cell.identity)
        tuning, trainings = (tuple(map(shifted, each)) for each in (stored.record.tuning, stored.record.trainings))
        store.write(
            replace(stored.record, plateau=plateau, tuning=tuning, trainings=trainings, theory={}, verdict=""),
            stored.curves(),
        )
    store.write_plan(replace(plan, workloads={"digits-dense": workload}))
    results = read(store)
    table = results.summary.set_index("arm")
    assert table["left"].to_dict() == {"baseline": 0, "tanh": 3, "gelu": 0}
    assert table["past_z"].tolist() == [False] * 3
    # What such a model has not is empty, and not 0.
    absent = ["kl_nats", "shuffled", "active_units", "mutual_information", "importance_weighted", "gradient_ratio_init"]
    assert table[absent].isna().to_numpy().all()
    assert "squared error, per image [95%]" in [column.title for column in shown(results)]
    assert "Plateau of digits-dense: -1279.00 per image." in write_tables(results)[1].read_text()
    best, _, left, *_ = conclusions(results)
    assert best.startswith("The largest gain is that of tanh: 2")
    assert left.startswith("All seeds of 1 of 3 arms, and some of 0 more, left the plateau of -1279.00 per image: ")
    assert left.endswith("squared error lies more than 50 per image below the plateau.")
    assert publish(results, PLOTS) == []
    page = (store.directory / "report.html").read_text()
    assert "3 hidden layers of 64 in the layers, batch 128" in page
    assert "ELBO" not in page.split("How it was measured")[0].split("<body>")[1]
    assert "z of" not in page


def test_two_scores_in_one_table_have_no_name(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh"], seeds=2, steps=50, depth=1)
    plan = store.read_plan()
    other = replace(plan.workloads["digits-dense"], score=Score("cross-entropy", "nats", 0.02))
    cells = (plan.cells[0], replace(plan.cells[1], workload="other"))
    store.write_plan(replace(plan, cells=cells, workloads={**plan.workloads, "other": other}))
    results = read(store)
    assert "score, its unit [95%]" in [column.title for column in shown(results)]
    assert {part.score.name for part in results.workloads.values()} == {"-ELBO", "cross-entropy"}


def test_readable_sorts_and_rounds(store: Store, table: pd.DataFrame) -> None:
    results = read(store)
    text = readable(results).set_axis([column.title for column in shown(results)], axis="columns")
    assert list(text["arm"][:2]) == ["tanh", "baseline"]
    row = table.loc["tanh"]
    first = text.iloc[0]
    interval = f"{row['score']:.2f} [{row['score_low']:.2f}, {row['score_high']:.2f}]"
    assert first["-ELBO, nats [95%]"] == interval
    assert (first["examples/s"], first["slowdown [95%]"], first["learning rate"]) == (
        "179k/s", "1.04x [1.02, 1.06]", "0.010 (high edge)",
    )  # fmt: skip
    assert dict(zip(text["arm"], text["status"], strict=True))["pre_activation_residual"] == "diverged (1 of 3 seeds)"
    assert "workload" not in text
    assert not any("nan" in cell.lower() or "none" in cell.lower() for cell in text.to_numpy().ravel())


def test_written_tables_hold_everything(store: Store, table: pd.DataFrame) -> None:
    csv, markdown, _, networks, _, parquet = write_tables(read(store))
    again = pd.read_csv(csv)
    assert list(again.columns) == NAMES
    assert again["score"].to_numpy() == pytest.approx(table["score"].to_numpy(), nan_ok=True, rel=1e-15)
    text = markdown.read_text()
    assert "27.21 nats" in text
    assert "1 of 6 cells are missing: clip_by_global_norm." in text
    assert text.index("| tanh") < text.index("| baseline") < text.index("| free_bits")
    # What failed or is missing is no network.
    assert set(pd.read_parquet(networks)["arm"]) == {"baseline", "tanh", "pre_activation_residual"}
    frame = pd.read_parquet(parquet)
    assert list(frame.columns) == list(CURVE_COLUMNS)
    assert set(frame["arm"]) == {"baseline", "tanh", "pre_activation_residual"}
    assert frame.dtypes["step"] == frame.dtypes["layer"] == np.int64
    assert frame.dtypes["value"] == np.float64
    assert not [path for path in csv.parent.iterdir() if path.suffix == ".tmp"]


def test_load_picks_arms_and_instruments(store: Store) -> None:
    table, curves = load(store.directory, arms=["tanh"], instruments=["hidden_gradient"])
    assert list(table["arm"]) == ["tanh"]
    assert set(curves["arm"]) == {"tanh"}
    assert set(curves["instrument"]) == {"hidden_gradient"}
    everything = load(store.directory)[1]
    assert set(everything["instrument"]) == {"hidden_gradient", "score"}
    assert len(load(store.directory, arms="clip_by_global_norm")[1]) == 0


def test_load_names_the_nearest(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown arm 'tanhh': did you mean 'tanh'\?"):
        load(store.directory, arms=["tanhh"])
    with pytest.raises(InputError, match=r"unknown instrument 'hidden_gradients': did you mean 'hidden_gradient'\?"):
        load(store.directory, instruments=["hidden_gradients"])
    with pytest.raises(InputError, match=r"holds no plan\.json"):
        load(tmp_path)


def test_the_readme_has_the_columns_as_they_are() -> None:
    text = (Path(__file__).parents[3] / "results" / "README.md").read_text()
    assert columns_markdown(COLUMNS) in text
    for column in CURVE_COLUMNS:
        assert f"`{column}`" in text, column


def test_each_file_is_read_once_for_everything_that_is_published(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Counter[str]()
    whole = Path.read_bytes

    def counted(path: Path) -> bytes:
        opened[path.relative_to(store.directory).as_posix()] += path.is_relative_to(store.directory)
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    publish(read(store), PLOTS)
    stored = [path for name in ("cells", "timings") for path in (store.directory / name).iterdir()]
    assert {path.relative_to(store.directory).as_posix() for path in stored} < set(opened)
    assert set(opened.values()) == {1}


def test_how_a_rate_lies_in_its_grid_is_told(tmp_path: Path) -> None:
    table = read(build(tmp_path, ["gelu", "tanh", "selu"], seeds=2, steps=50, depth=1)).summary.set_index("arm")
    # At no rate gelu left; of tanh none higher was tried; selu's five are around its own.
    assert table["rate_at_edge"].to_dict() == {"gelu": "none left", "tanh": "high", "selu": "no"}
    assert table.loc["selu", "default_rate_score"] == table.loc["selu", "tuned_rate_score"]
    assert table.loc["selu", "rate_band"] == pytest.approx(30)
    assert math.isnan(table.loc["gelu", "rate_band"])


def test_an_old_figure_stands_beside_the_plateau_of_its_own_data(tmp_path: Path) -> None:
    store = build(tmp_path, ["tanh", "clip_by_global_norm"], seeds=2, steps=50, depth=1)
    plan = store.read_plan()
    workload = replace(plan.workloads["digits-dense"], plateau=30.0, plateau_validation=29.9)
    store.write_plan(replace(plan, workloads={"digits-dense": workload}))
    table = read(store).summary.set_index("arm")
    assert list(table["plateau"]) == [PLATEAU, 30.0]
    # What the old data give on validation nobody has kept.
    assert math.isnan(table.loc["tanh", "plateau_validation"])
    assert "Plateau of digits-dense: 27.21 and 30.00 nats." in write_tables(read(store))[1].read_text()
    publish(read(store), PLOTS)


def test_text_has_what_z_is_worth_and_a_perplexity_and_nothing_else_has(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh"], seeds=2, steps=50, depth=1)
    nothing = read(store).summary[["worth_of_z", "perplexity"]]
    assert nothing.isna().to_numpy().all()
    assert not {"perplexity", "z is worth, nats"} & {column.title for column in shown(read(store))}
    plan = store.read_plan()
    for cell in plan.cells:
        stored = store.load(cell.identity)
        trainings = tuple(
            replace(each, reconstruction=20.0, shuffled=23.0 + each.seed, importance_weighted=24.0, score=22.0)
            for each in stored.record.trainings
        )
        store.write(replace(stored.record, trainings=trainings), stored.curves())

    def perplexity(**about: Any) -> list[float]:
        store.write_plan(replace(plan, workloads={"digits-dense": replace(plan.workloads["digits-dense"], **about)}))
        return list(read(store).summary["perplexity"])

    assert perplexity(tokens=8.0) == pytest.approx([math.exp(24 / 8)] * 2)
    assert list(read(store).summary["worth_of_z"]) == pytest.approx([4.5] * 2)
    assert {"perplexity", "z is worth, nats"} <= {column.title for column in shown(read(store))}
    # A language model knows the probability itself; what an autoencoder misses is none.
    assert perplexity(tokens=8.0, score=NEGATIVE_LOG_LIKELIHOOD) == pytest.approx([math.exp(22 / 8)] * 2)


def test_reading_a_store_imports_no_jax() -> None:
    code = (
        "import sys, json, bench.results.tables, bench.report.plots, bench.report.page;"
        "print(json.dumps([name for name in ('jax', 'flax', 'optax', 'vae_jax') if name in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []
