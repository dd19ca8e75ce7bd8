import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.language.errors import InputError
from bench.results.readable import readable
from bench.results.store import CURVE_COLUMNS, Store
from bench.results.tables import SUMMARY_TYPES, left_plateau, load, missing, summary, write_tables
from tests.bench.fake_store import PLATEAU, build

ARMS = ["baseline", "tanh", "pre_activation_residual", "clip_by_global_norm", "beta[weight=1.0]", "free_bits"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(tmp_path_factory.mktemp("store"), ARMS, seeds=3, steps=200, depth=2)


@pytest.fixture(scope="module")
def table(store: Store) -> pd.DataFrame:
    return summary(store).set_index("arm", drop=False)


def manifest(store: Store, arm: str) -> dict:
    cell = next(cell for cell in store.read_plan()["cells"] if cell["arm"] == arm)
    found = store.read(cell["identity"])
    assert found is not None
    return found


def test_rows_are_the_plans_cells_in_its_order(table: pd.DataFrame) -> None:
    assert list(table["arm"]) == ARMS
    assert list(table.columns) == list(SUMMARY_TYPES)
    assert list(table["status"]) == ["ok", "ok", "diverged", "missing", "not applicable", "failed"]
    assert missing(table) == ["clip_by_global_norm"]
    assert "nothing" in table.loc["beta[weight=1.0]", "reason"]


def test_interval_agrees_with_scipy(store: Store, table: pd.DataFrame) -> None:
    values = [training["negative_elbo"] for training in manifest(store, "tanh")["trainings"]]
    row = table.loc["tanh"]
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert row["negative_elbo"] == pytest.approx(np.mean(values), rel=1e-12)
    assert (row["negative_elbo_low"], row["negative_elbo_high"]) == pytest.approx((low, high), rel=1e-12)


def test_gradient_ratio_is_a_geometric_mean(store: Store, table: pd.DataFrame) -> None:
    ratios = [training["gradient_ratio_init"] for training in manifest(store, "baseline")["trainings"]]
    assert table.loc["baseline", "gradient_ratio_init"] == pytest.approx(math.prod(ratios) ** (1 / 3), rel=1e-12)


def test_underflowed_gradient_has_ratio_zero(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline"], seeds=2, steps=50, depth=1)
    cell = manifest(store, "baseline")
    cell["trainings"][0]["gradient_ratio_end"] = 0.0
    store.write(cell, store.read_curves([cell]))
    row = summary(store).iloc[0]
    assert row["gradient_ratio_end"] == 0
    assert row["gradient_ratio_init"] > 0


def test_diverged_arm_has_no_mean(table: pd.DataFrame) -> None:
    row = table.loc["pre_activation_residual"]
    assert row["seeds_diverged"] == 1
    figures = ["negative_elbo", "negative_elbo_low", "negative_elbo_high", "reconstruction", "kl_nats"]
    assert row[[*figures, "gradient_ratio_end"]].isna().all()
    # It had not diverged yet at initialisation.
    assert row["gradient_ratio_init"] > 0


def test_one_seed_has_a_mean_and_no_interval(tmp_path: Path) -> None:
    row = summary(build(tmp_path, ["tanh"], seeds=1, steps=50, depth=1)).iloc[0]
    assert math.isfinite(row["negative_elbo"])
    assert math.isnan(row["negative_elbo_low"])


def test_only_an_interval_well_below_the_plateau_has_left_it(table: pd.DataFrame) -> None:
    assert left_plateau(table).to_dict() == {arm: arm == "tanh" for arm in ARMS}
    close = table.assign(negative_elbo_high=PLATEAU - 0.1)
    assert not left_plateau(close).any()


def test_readable_sorts_and_rounds(table: pd.DataFrame) -> None:
    shown = readable(table.reset_index(drop=True))
    assert list(shown["arm"][:2]) == ["tanh", "baseline"]
    row = table.loc["tanh"]
    first = shown.iloc[0]
    interval = f"{row['negative_elbo']:.2f} [{row['negative_elbo_low']:.2f}, {row['negative_elbo_high']:.2f}]"
    assert first["-ELBO, nats [95%]"] == interval
    assert (first["examples/s"], first["slowdown [95%]"], first["learning rate"]) == (
        "179k/s", "1.04x [1.02, 1.06]", "0.010 (edge)",
    )  # fmt: skip
    assert dict(zip(shown["arm"], shown["status"], strict=True))["pre_activation_residual"] == "diverged (1 of 3 seeds)"
    assert "workload" not in shown
    assert not any("nan" in text.lower() or "none" in text.lower() for text in shown.to_numpy().ravel())


def test_written_tables_hold_everything(store: Store, table: pd.DataFrame) -> None:
    csv, markdown, parquet = write_tables(store)
    again = pd.read_csv(csv)
    assert list(again.columns) == list(SUMMARY_TYPES)
    assert again["negative_elbo"].to_numpy() == pytest.approx(table["negative_elbo"].to_numpy(), nan_ok=True, rel=1e-15)
    text = markdown.read_text()
    assert "27.21 nats" in text
    assert "1 of 6 cells are missing: clip_by_global_norm." in text
    assert text.index("| tanh") < text.index("| baseline") < text.index("| free_bits")
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
    assert set(everything["instrument"]) == {"hidden_gradient", "negative_elbo"}
    assert len(load(store.directory, arms="clip_by_global_norm")[1]) == 0


def test_load_names_the_nearest(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown arm 'tanhh': did you mean 'tanh'\?"):
        load(store.directory, arms=["tanhh"])
    with pytest.raises(InputError, match=r"unknown instrument 'hidden_gradients': did you mean 'hidden_gradient'\?"):
        load(store.directory, instruments=["hidden_gradients"])
    with pytest.raises(InputError, match=r"holds no plan\.json"):
        load(tmp_path)


def test_readme_explains_every_column() -> None:
    text = (Path(__file__).parents[3] / "results" / "README.md").read_text()
    for column in {*SUMMARY_TYPES, *CURVE_COLUMNS}:
        assert f"`{column}`" in text, column


def test_reading_a_store_imports_no_jax() -> None:
    code = (
        "import sys, json, bench.results.tables, bench.report.plots, bench.report.page;"
        "print(json.dumps([name for name in ('jax', 'flax', 'optax', 'vae_jax') if name in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []
