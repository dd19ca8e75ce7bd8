import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest

from bench.report.plots import (
    colour_scale,
    elbo_against_throughput,
    elbo_over_steps,
    figures,
    gradient_heat_maps,
    gradient_over_depth,
    hidden_gradients,
    panels,
    plotted_curves,
    svg,
    validation_bands,
    write_plots,
)
from bench.report.plots.labels import place_labels, spread
from bench.results.store import Store
from bench.results.tables import summary
from tests.bench.fake_store import build

ARMS = ["baseline", "tanh", "pre_activation_residual", "tiny_normal", "clip_by_global_norm", "free_bits"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(tmp_path_factory.mktemp("store"), ARMS, seeds=3, steps=600, depth=2)


@pytest.fixture(scope="module")
def curves(store: Store) -> pd.DataFrame:
    return plotted_curves(store)


def table_of(**families: str) -> pd.DataFrame:
    return pd.DataFrame({"arm": list(families), "family": list(families.values()), "seeds": 5})


def test_panels_hold_every_trained_arm_once() -> None:
    many = {f"arm{index}": "activation" for index in range(8)}
    table = table_of(baseline="base", **many, adam="optimizer", cosine="schedule", ab="activation+optimizer")
    found = panels(table)
    assert list(found) == ["activation (1 of 2)", "activation (2 of 2)", "optimizer, schedule", "compositions"]
    assert sorted(arm for arms in found.values() for arm in arms) == sorted([*many, "adam", "cosine", "ab"])
    assert panels(table.loc[table["arm"] == "baseline"]) == {"baseline": []}
    assert panels(table.assign(seeds=pd.NA)) == {}


def test_theory_starts_from_the_measured_last_layer_of_each_tower(curves: pd.DataFrame) -> None:
    theory = {"tanh": {"encoder": {"gradient_ratio": [0.5, 0.1]}, "decoder": {"reason": "no map"}}}
    gradient = hidden_gradients(curves, theory)["tanh"]
    last = gradient.values[2, 0]
    np.testing.assert_allclose(gradient.predicted[:3], [0.05 * last, 0.1 * last, last])
    assert np.isnan(gradient.predicted[3:]).all()
    assert gradient_over_depth(table_of(tanh="activation"), {"tanh": gradient}) is not None


def test_band_spans_the_seeds_and_ends_where_one_diverged(curves: pd.DataFrame) -> None:
    bands = validation_bands(curves)
    chosen = (curves["arm"] == "tanh") & (curves["split"] == "validation") & (curves["step"] == 300)
    values = curves.loc[chosen, "value"].to_numpy()
    band = bands["tanh"]
    place = list(band.steps).index(300)
    expected = (values.mean(), values.min(), values.max())
    assert (band.mean[place], band.low[place], band.high[place]) == pytest.approx(expected)
    broken = bands["pre_activation_residual"]
    assert np.isfinite(broken.mean[broken.steps < 400]).all()
    assert np.isnan(broken.mean[broken.steps >= 400]).all()
    assert np.isfinite(broken.low).all()


def test_hidden_gradient_is_the_median_over_finite_seeds(curves: pd.DataFrame) -> None:
    gradient = hidden_gradients(curves, {})["pre_activation_residual"]
    assert gradient.values.shape == (6, len(gradient.steps))
    assert gradient.encoder == 3
    chosen = (
        (curves["arm"] == "pre_activation_residual") & (curves["tower"] == "decoder") & (curves["layer"] == 1)
        & (curves["step"] == 500)
    )  # fmt: skip
    values = curves.loc[chosen, "value"].to_numpy()
    assert np.isinf(values).sum() == 1
    assert gradient.values[4, list(gradient.steps).index(500)] == pytest.approx(np.median(values[np.isfinite(values)]))


def test_a_gradient_of_zero_is_drawn_and_not_lost(store: Store, curves: pd.DataFrame) -> None:
    dead = curves.assign(value=curves["value"].where(curves["instrument"] != "hidden_gradient", 0.0))
    gradients = hidden_gradients(dead, {})
    assert (gradients["tanh"].values == 1e-20).all()
    assert gradient_over_depth(summary(store), gradients) is not None


def test_write_plots_writes_small_valid_files(store: Store) -> None:
    paths = write_plots(store)
    names = {"elbo-over-steps", "gradient-heat-maps", "gradient-over-depth", "elbo-against-throughput"}
    assert {path.name for path in paths} == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    for path in paths:
        if path.suffix == ".svg":
            text = path.read_text()
            ElementTree.fromstring(text)
            assert len(text) < 300_000
            assert "tanh</text>" in text
        else:
            assert path.read_bytes().startswith(b"\x89PNG")


def test_svg_is_the_same_each_time_with_ids_of_its_own(store: Store, curves: pd.DataFrame) -> None:
    def draw(name: str) -> str:
        figure = elbo_over_steps(summary(store), validation_bands(curves))
        assert figure is not None
        return svg(figure, name)

    first = draw("one")
    assert first == draw("one")
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, draw("two"))]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', first))
    assert used
    assert used <= ids[0]


def test_drawing_changes_no_one_elses_settings(store: Store, curves: pd.DataFrame) -> None:
    before = dict(matplotlib.rcParams)
    figures(summary(store), curves, {})
    assert dict(matplotlib.rcParams) == before


def test_nothing_recorded_draws_nothing(store: Store, curves: pd.DataFrame) -> None:
    assert figures(summary(store).assign(slowdown=np.nan), curves.iloc[:0], {}) == {}
    assert colour_scale({}) is None
    assert gradient_heat_maps({}) is None


def test_one_arm_with_one_seed_and_one_step(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline"], seeds=1, steps=1, depth=1)
    assert len(figures(summary(store), plotted_curves(store), {})) == 4


def test_a_cell_that_never_trained_is_no_hindrance(tmp_path: Path) -> None:
    assert write_plots(build(tmp_path, ["free_bits", "clip_by_global_norm"], seeds=2, steps=50)) == []


def test_two_workloads_have_plots_of_their_own(store: Store, curves: pd.DataFrame, tmp_path: Path) -> None:
    two = build(tmp_path, ["baseline", "tanh"], seeds=2, steps=50, depth=1)
    plan = two.read_plan()
    plan["cells"][1]["workload"] = "digits-dense[depth=16]"
    plan["workloads"]["digits-dense[depth=16]"] = plan["workloads"]["digits-dense"]
    two.write_plan(plan)
    assert {path.name for path in write_plots(two) if "throughput" in path.name and path.suffix == ".svg"} == {
        "elbo-against-throughput--digits-dense.svg", "elbo-against-throughput--digits-dense_depth=16_.svg",
    }  # fmt: skip


def test_names_in_the_throughput_plot_do_not_overlap(store: Store) -> None:
    rows = summary(store)
    crowd = pd.concat([rows.iloc[[0]].assign(arm=f"plateau_{index}") for index in range(9)])
    learnt = pd.concat([
        rows.iloc[[1]].assign(arm=f"learnt_{index}", slowdown=1.04 - 0.002 * index) for index in range(5)
    ])  # fmt: skip
    figure = elbo_against_throughput(pd.concat([crowd, learnt], ignore_index=True))
    assert figure is not None
    figure.canvas.draw()
    texts = [text for text in figure.axes[0].texts if "_" in text.get_text()]
    beside = [text.get_window_extent() for text in texts if text.get_rotation() == 0]
    assert len(beside) == 5
    assert not any(a.overlaps(b) for i, a in enumerate(beside) for b in beside[:i])
    aslant = sorted(text.get_position()[0] for text in texts if text.get_rotation() == 45)
    pixels = figure.axes[0].transData.transform([(x, 0) for x in aslant])[:, 0]
    assert len(pixels) == 9
    assert np.diff(pixels).min() > 8 * figure.dpi / 72


def test_of_many_arms_those_are_named_that_no_other_beats(store: Store) -> None:
    rows = summary(store).set_index("arm")
    learnt = pd.concat([
        rows.loc[["tanh"]].assign(slowdown=2 - 0.01 * index, negative_elbo=23 + 0.01 * (index % 7))
        for index in range(60)
    ])  # fmt: skip
    many = pd.concat([rows.loc[["baseline"]], learnt])
    many["arm"] = ["baseline", *(f"learnt_{index}" for index in range(60))]
    figure = elbo_against_throughput(many)
    assert figure is not None
    # 0.01 nats better each, back to where 56 is the fastest of the best.
    assert {text.get_text() for text in figure.axes[0].texts} - {"", "plateau"} == {
        "baseline", "learnt_56", "learnt_57", "learnt_58", "learnt_59",
    }  # fmt: skip


def test_an_arm_that_needs_no_code_presses_nothing_flat(store: Store, curves: pd.DataFrame) -> None:
    rows = summary(store)
    far = ["negative_elbo", "negative_elbo_low", "negative_elbo_high", "kl_nats"]
    rows.loc[rows["arm"] == "tanh", far] = (0.5, 0.4, 0.6, 0.0)
    against = elbo_against_throughput(rows)
    assert against is not None
    assert "tanh" not in {text.get_text() for text in against.axes[0].texts}
    bands = validation_bands(curves)
    bands["tanh"] = bands["tanh"]._replace(mean=bands["tanh"].mean - 20, low=bands["tanh"].low - 20)
    over = elbo_over_steps(rows, bands)
    assert over is not None
    assert over.axes[0].get_ylim()[0] > 20


def test_spread_keeps_order_distance_and_limits() -> None:
    places = np.array([5.0, 5.0, 4.0, 40.0])
    apart = spread(places, 10.0, np.full(4, 45.0))
    assert list(np.argsort(apart, kind="stable")) == [2, 0, 1, 3]
    assert np.diff(np.sort(apart)).min() >= 10 - 1e-9
    assert apart.max() <= 45
    assert spread(np.array([0.0, 100.0]), 10.0, np.full(2, 200.0)) == pytest.approx([0.0, 100.0])


def test_labels_avoid_obstacles() -> None:
    points = np.array([[50.0, 50.0], [52.0, 50.0], [50.0, 53.0]])
    obstacle = np.array([[55.0, 0.0, 100.0, 100.0]])
    boxes = place_labels(points, np.full((3, 2), (20.0, 5.0)), (0, 0, 200, 100), obstacle, gap=3)
    every = np.vstack([boxes, obstacle])
    for place, box in enumerate(boxes):
        for other in np.delete(every, place, axis=0):
            assert box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]
