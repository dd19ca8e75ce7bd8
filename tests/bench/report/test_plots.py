import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench.report.drawing import draw, write_plots
from bench.report.plots import (
    PLOTS,
    gain_against_slowdown,
    gradient_over_depth,
    score_over_steps,
    what_a_model_does,
)
from bench.report.plots.cost import unbeaten
from bench.report.plots.foretelling import areas_under_the_curve
from bench.report.plots.gradient import hidden_gradients
from bench.report.plots.labels import place_labels, spread
from bench.report.plots.panels import panels
from bench.report.plots.progress import validation_bands
from bench.report.plots.sheet import SETTINGS, svg
from bench.results.foretelling.foretell import foretell, judged
from bench.results.results import Results, Table
from bench.results.stored.records import TheoryRecord
from bench.results.stored.saved_model import pack_examples
from bench.results.stored.store import Store
from tests.bench.fake_store import build, read

ARMS = ["baseline", "tanh", "pre_activation_residual", "tiny_normal", "clip_by_global_norm", "free_bits"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(tmp_path_factory.mktemp("store"), ARMS, seeds=3, steps=600, depth=2)


@pytest.fixture(scope="module")
def results(store: Store) -> Results:
    return read(store)


@pytest.fixture(scope="module")
def curves(results: Results) -> pd.DataFrame:
    return results.curves(["score"])


def changed(results: Results, summary: pd.DataFrame) -> Results:
    """The same results with another summary."""
    other = replace(results)
    vars(other).update(table=Table(summary, ()), _curves=dict(results._curves))
    return other


def with_curves(results: Results, instrument: str, curves: pd.DataFrame) -> Results:
    """The same results with other curves of an instrument."""
    other = changed(results, results.summary)
    other._curves[(instrument,)] = curves
    return other


def table_of(**families: str) -> pd.DataFrame:
    return pd.DataFrame({"arm": list(families), "family": list(families.values()), "seeds": 5})


def test_panels_hold_every_trained_arm_once() -> None:
    many = {f"arm{index}": "activation" for index in range(8)}
    table = table_of(baseline="base", **many, adam="optimizer", cosine="schedule", ab="activation+optimizer")
    found = panels(table, set(table["arm"]))
    assert list(found) == ["activation (1 of 2)", "activation (2 of 2)", "optimizer, schedule", "compositions"]
    assert all(next(iter(looks)) == "baseline" for looks in found.values())
    assert sorted(arm for looks in found.values() for arm in [*looks][1:]) == sorted([*many, "adam", "cosine", "ab"])
    alone = panels(table.loc[table["arm"] == "baseline"], {"baseline"})
    assert {title: [*looks] for title, looks in alone.items()} == {"baseline": ["baseline"]}
    assert panels(table.assign(seeds=pd.NA), set(table["arm"])) == {}
    assert list(panels(table, {"baseline", "adam"})) == ["optimizer, schedule"]


def test_an_arm_looks_the_same_whichever_of_its_neighbours_are_drawn() -> None:
    table = table_of(baseline="base", **{f"arm{index}": "activation" for index in range(8)})
    everywhere = {arm: style for looks in panels(table, set(table["arm"])).values() for arm, style in looks.items()}
    some = {arm: style for looks in panels(table, {"arm2", "arm3", "arm7"}).values() for arm, style in looks.items()}
    assert set(some) == {"arm2", "arm3", "arm7"}
    assert some.items() <= everywhere.items()
    assert len({everywhere[f"arm{index}"] for index in range(4)}) == 4


def test_the_front_is_what_no_arm_beats_in_both(results: Results) -> None:
    cost, gain = np.array([1.0, 1.2, 1.1, 1.0, 1.5]), np.array([2.0, 3.0, 1.9, 2.0, 3.0])
    # Against every pair, by the definition; two that are equal beat neither.
    beaten = [
        any(a <= cost[i] and b >= gain[i] and (a, b) != (cost[i], gain[i]) for a, b in zip(cost, gain, strict=True))
        for i in range(5)
    ]
    assert unbeaten(cost, gain).tolist() == [not each for each in beaten] == [True, True, False, True, False]
    (figure,) = gain_against_slowdown.figures(results)
    (front,) = (line for line in figure.axes[0].lines if line.get_label() == "Pareto front")
    x, y = (np.asarray(values, float) for values in front.get_data())
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) >= 0).all()
    left = results.summary.loc[results.summary["left"] > results.summary["seeds"] / 2].dropna(subset=["slowdown"])
    assert y.max() == left["gain"].max()
    assert x[0] == left["slowdown"].min()


def test_theory_starts_from_the_measured_last_layer_of_each_tower(tmp_path: Path) -> None:
    store = build(tmp_path, ["tanh"], seeds=3, steps=50, depth=2)
    (row,) = read(store).rows
    theory = {"encoder": TheoryRecord(gradient_ratio=(0.5, 0.1)), "decoder": TheoryRecord(reason="no map")}
    store.write(replace(row.record, theory=theory), row.curves())
    gradient = hidden_gradients(read(store))["tanh"]
    last = gradient.values[2, 0]
    np.testing.assert_allclose(gradient.predicted[:3], [0.05 * last, 0.1 * last, last])
    assert np.isnan(gradient.predicted[3:]).all()


def test_of_a_tower_of_one_layer_no_theory_is_drawn(tmp_path: Path) -> None:
    # A depth of 0: the input layer alone. There is no step from one layer to another.
    store = build(tmp_path, ["baseline"], seeds=2, steps=50, depth=0)
    (gradient,) = hidden_gradients(read(store)).values()
    assert list(gradient.stacks.values()) == [1, 1]
    assert np.isnan(gradient.predicted).all()
    (figure,) = gradient_over_depth.figures(read(store))
    words = {text.get_text() for text in figure.findobj(Text)}
    assert "baseline" in words
    assert "theory" not in words
    assert gradient_over_depth.figures(read(store))


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


def test_hidden_gradient_is_the_median_over_finite_seeds(results: Results) -> None:
    gradient = hidden_gradients(results)["pre_activation_residual"]
    curves = results.curves(["hidden_gradient"])
    assert gradient.values.shape == (6, len(gradient.steps))
    assert gradient.stacks == {"encoder": 3, "decoder": 3}
    assert gradient.between == ("data", "z", "data")
    chosen = (
        (curves["arm"] == "pre_activation_residual") & (curves["tower"] == "decoder") & (curves["layer"] == 1)
        & (curves["step"] == 500)
    )  # fmt: skip
    values = curves.loc[chosen, "value"].to_numpy()
    assert np.isinf(values).sum() == 1
    assert gradient.values[4, list(gradient.steps).index(500)] == pytest.approx(np.median(values[np.isfinite(values)]))


def test_a_gradient_of_zero_is_drawn_and_not_lost(results: Results) -> None:
    dead = with_curves(results, "hidden_gradient", results.curves(["hidden_gradient"]).assign(value=0.0))
    assert (hidden_gradients(dead)["tanh"].values == 1e-20).all()
    assert gradient_over_depth.figures(dead)


def test_write_plots_writes_small_valid_files(results: Results) -> None:
    paths = write_plots(results, draw(results, PLOTS)[0])
    # No model was saved, and of so few arms nothing is said to foretell.
    names = {each.name for each in PLOTS} - {"what-a-model-does", "areas-under-the-curve"}
    assert {path.name for path in paths} == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    for path in paths:
        if path.suffix == ".svg":
            text = path.read_text()
            ElementTree.fromstring(text)
            assert len(text) < 300_000
            assert "tanh</text>" in text
        else:
            assert path.read_bytes().startswith(b"\x89PNG")


def test_svg_is_the_same_each_time_with_ids_of_its_own(results: Results) -> None:
    def drawn(name: str) -> str:
        return svg(score_over_steps.figures(results)[0], name)

    first = drawn("one")
    assert first == drawn("one")
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, drawn("two"))]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', first))
    assert used
    assert used <= ids[0]


def test_drawing_changes_no_one_elses_settings(results: Results) -> None:
    before = dict(matplotlib.rcParams)
    draw(results, PLOTS)
    assert dict(matplotlib.rcParams) == before


def test_each_figure_is_drawn_once_for_the_page_and_the_files(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, written = [], []
    begin, write = Figure.__init__, Figure.savefig

    def counted(self: Figure, *args: Any, **keywords: Any) -> None:
        made.append(self)
        begin(self, *args, **keywords)

    def saved(self: Figure, *args: Any, **keywords: Any) -> None:
        written.append(self)
        write(self, *args, **keywords)

    monkeypatch.setattr(Figure, "__init__", counted)
    monkeypatch.setattr(Figure, "savefig", saved)
    drawn, _ = draw(results, PLOTS)
    pieces = sum(len(each.pieces) for each in drawn)
    # One panel of arms in four plots, a tile for each of four arms with their scale, and all in one.
    assert len(made) == len(written) == pieces == 4 + 4 + 1 + 1


def test_no_title_is_wider_than_its_panel(tmp_path: Path) -> None:
    arms = ["baseline", "batch_norm", "adam", "clip_by_global_norm", "rezero"]
    store = build(tmp_path, arms, seeds=2, steps=50, depth=2)
    results = read(store)
    families = ["base", "normalization", "optimizer", "gradient", "regularization"]
    table = results.summary.assign(family=families, seeds=2)
    for plot in (score_over_steps, gradient_over_depth):
        with matplotlib.rc_context(SETTINGS):
            (figure,) = plot.figures(changed(results, table))
            figure.canvas.draw()
        title = figure.axes[0]._left_title  # type: ignore
        assert title.get_text().replace("\n", " ") == "normalization, optimizer, gradient, regularization"
        extent = title.get_window_extent()
        assert extent.x1 <= figure.bbox.x1
        assert extent.y1 <= figure.bbox.y1


def test_nothing_recorded_draws_nothing(results: Results) -> None:
    nothing = changed(results, results.summary.assign(slowdown=np.nan))
    for name in ("score", "hidden_gradient"):
        nothing._curves[(name,)] = results.curves([name]).iloc[:0]
    # What was tuned is no reading.
    assert [each.plot.name for each in draw(nothing, PLOTS)[0]] == ["score-over-learning-rates"]


def test_one_arm_with_one_seed_and_one_step(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline"], seeds=1, steps=1, depth=1)
    drawn = {each.plot.name for each in draw(read(store), PLOTS)[0]}
    # No seed left the plateau, so nothing is said of when, nor of what foretells it.
    others = {"what-a-model-does", "share-on-the-plateau", "areas-under-the-curve"}
    assert drawn == {each.name for each in PLOTS} - others


def test_what_lies_far_below_the_plateau_presses_nothing_flat(tmp_path: Path) -> None:
    results = read(build(tmp_path, ["baseline", "selu", "tanh", "gelu"], seeds=3, steps=50, depth=2))
    (whole,) = gain_against_slowdown.figures(results)
    table = results.summary.copy()
    table.loc[table["arm"] == "gelu", ["gain", "gain_low", "gain_high"]] = [-40.0, -41.0, -39.0]
    results.__dict__["table"] = Table(table, ())
    (cut,) = gain_against_slowdown.figures(results)
    assert cut.axes[0].get_ylim()[0] > -0.6 * table["gain"].max()
    assert whole.axes[0].get_ylim()[1] == pytest.approx(cut.axes[0].get_ylim()[1], rel=0.2)
    (triangle,) = [line for line in cut.axes[0].lines if line.get_marker() == "v"]
    assert list(triangle.get_ydata()) == [pytest.approx(-0.3 * table["gain"].max())]


def test_what_foretells_is_drawn_once_of_all_workloads_and_mapped_of_several(tmp_path: Path) -> None:
    results = read(build(tmp_path, seeds=2, steps=100, depth=2))
    (drawn,) = draw(results, [areas_under_the_curve])[0]
    assert (drawn.workload, len(drawn.pieces)) == ("", 1)
    found = results.once(foretell)
    assert all(f"{each.instrument}</text>" in drawn.pieces[0] for each in found.foretold)
    assert {"areas-under-the-curve.svg", "areas-under-the-curve.png"} == {
        path.name for path in write_plots(results, [drawn])
    }
    # A second optimizer: every other network's.
    networks = tuple(
        each._replace(group=(*each.group[:2], "adam")) if number % 2 else each
        for number, each in enumerate(found.networks)
    )
    results._made[foretell] = judged(networks, {})
    (drawn,) = draw(results, [areas_under_the_curve])[0]
    assert len(drawn.pieces) == 2
    for group in ("digits-dense, sgd", "digits-dense, adam"):
        assert f"{group}</text>" in drawn.pieces[1]


def test_a_cell_that_never_trained_is_no_hindrance(tmp_path: Path) -> None:
    results = read(build(tmp_path, ["free_bits", "clip_by_global_norm"], seeds=2, steps=50))
    assert draw(results, PLOTS) == ([], [])


def test_two_workloads_have_plots_of_their_own(tmp_path: Path) -> None:
    two = build(tmp_path, ["baseline", "tanh"], seeds=2, steps=50, depth=1)
    plan = two.read_plan()
    deep = "digits-dense[depth=16]"
    cells = (plan.cells[0], replace(plan.cells[1], workload=deep))
    workloads = {**plan.workloads, deep: plan.workloads["digits-dense"]}
    two.write_plan(replace(plan, cells=cells, workloads=workloads))
    paths = write_plots(read(two), draw(read(two), PLOTS)[0])
    assert {path.name for path in paths if "slowdown" in path.name and path.suffix == ".svg"} == {
        "gain-against-slowdown--digits-dense.svg", "gain-against-slowdown--digits-dense_depth=16_.svg",
    }  # fmt: skip


def test_names_beside_what_they_cost_do_not_overlap(results: Results) -> None:
    rows = results.summary
    crowd = pd.concat([rows.iloc[[0]].assign(arm=f"plateau_{index}") for index in range(9)])
    learnt = pd.concat([
        rows.iloc[[1]].assign(arm=f"learnt_{index}", slowdown=1.04 - 0.002 * index) for index in range(5)
    ])  # fmt: skip
    (figure,) = gain_against_slowdown.figures(changed(results, pd.concat([crowd, learnt], ignore_index=True)))
    figure.canvas.draw()
    texts = [text for text in figure.axes[0].texts if "_" in text.get_text()]
    beside = [text.get_window_extent() for text in texts if text.get_rotation() == 0]
    assert len(beside) == 5
    assert not any(a.overlaps(b) for i, a in enumerate(beside) for b in beside[:i])
    aslant = sorted(text.get_position()[0] for text in texts if text.get_rotation() == 315)
    pixels = figure.axes[0].transData.transform([(x, 0) for x in aslant])[:, 0]
    assert len(pixels) == 9
    assert np.diff(pixels).min() > 8 * figure.dpi / 72


def test_of_many_arms_those_are_named_that_no_other_beats(results: Results) -> None:
    rows = results.summary.set_index("arm")
    learnt = pd.concat([
        rows.loc[["tanh"]].assign(slowdown=2 - 0.01 * index, gain=4 - 0.01 * (index % 7), gain_high=5)
        for index in range(60)
    ])  # fmt: skip
    many = pd.concat([rows.loc[["baseline"]], learnt])
    many["arm"] = ["baseline", *(f"learnt_{index}" for index in range(60))]
    (figure,) = gain_against_slowdown.figures(changed(results, many))
    # 0.01 nats more each, back to where 56 is the cheapest of the best.
    assert {text.get_text() for text in figure.axes[0].texts} - {"", "plateau"} == {
        "baseline", "learnt_56", "learnt_57", "learnt_58", "learnt_59",
    }  # fmt: skip


def test_an_arm_that_needs_no_code_presses_nothing_flat(results: Results) -> None:
    rows = results.summary.copy()
    far = ["score", "score_low", "score_high", "past_z"]
    rows.loc[rows["arm"] == "tanh", far] = (0.5, 0.4, 0.6, True)
    (against,) = gain_against_slowdown.figures(changed(results, rows))
    assert "tanh" not in {text.get_text() for text in against.axes[0].texts}
    curves = results.curves(["score"])
    sunk = curves.assign(value=curves["value"] - 20 * (curves["arm"] == "tanh"))
    assert score_over_steps.figures(with_curves(results, "score", sunk))[0].axes[0].get_ylim()[0] < 20
    both = changed(with_curves(results, "score", sunk), rows)
    assert score_over_steps.figures(both)[0].axes[0].get_ylim()[0] > 20


def test_the_steps_of_a_long_training_stand_apart(results: Results) -> None:
    curves = results.curves(["score"])
    long = curves.assign(step=39_063 * curves["step"] / curves["step"].max())
    with matplotlib.rc_context(SETTINGS):
        figure = score_over_steps.figures(with_curves(results, "score", long))[0]
        figure.canvas.draw()
        low, high = figure.axes[0].get_xlim()
        shown = [text for text in figure.axes[0].get_xticklabels() if low <= text.get_position()[0] <= high]
        assert high == 39_063
        assert [text.get_text() for text in shown] == ["0", "10,000", "20,000", "30,000"]
        ends = [(box.x0, box.x1) for box in (text.get_window_extent() for text in shown)]
    assert all(right + 3 < left for (_, right), (left, _) in itertools.pairwise(ends))


def test_spread_keeps_order_distance_and_limits() -> None:
    places = np.array([5.0, 5.0, 4.0, 40.0])
    apart = spread(places, 10.0, -50.0, np.full(4, 45.0))
    assert list(np.argsort(apart, kind="stable")) == [2, 0, 1, 3]
    assert np.diff(np.sort(apart)).min() >= 10 - 1e-9
    assert apart.max() <= 45
    assert spread(np.array([0.0, 100.0]), 10.0, -50.0, np.full(2, 200.0)) == pytest.approx([0.0, 100.0])
    assert spread(places, 10.0, 3.0, np.full(4, 45.0)) == pytest.approx([13.0, 23.0, 3.0, 40.0])


def test_labels_avoid_obstacles() -> None:
    points = np.array([[50.0, 50.0], [52.0, 50.0], [50.0, 53.0]])
    obstacle = np.array([[55.0, 0.0, 100.0, 100.0]])
    boxes = place_labels(points, np.full((3, 2), (20.0, 5.0)), (0, 0, 200, 100), obstacle, gap=3)
    every = np.vstack([boxes, obstacle])
    for place, box in enumerate(boxes):
        for other in np.delete(every, place, axis=0):
            assert box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]


def with_examples(results: Results, **examples: Any) -> Results:
    """The same results, with examples of what the first arm's model does."""
    first, *others = results.found
    assert first.stored
    packed = pack_examples({name: np.asarray(each) for name, each in examples.items()})
    return replace(results, found=(first._replace(stored=replace(first.stored, examples=packed)), *others))


@pytest.mark.parametrize("colour", [(), (3,)])
def test_a_saved_model_has_a_panel_of_pictures(results: Results, colour: tuple[int, ...]) -> None:
    draws = np.random.default_rng(0)
    images = {
        name: draws.integers(256, size=(number, 8, 6, *colour)).astype(np.uint8)
        for name, number in (("originals", 3), ("reconstructions", 3), ("samples", 16), ("interpolations", 16))
    }
    saved = with_examples(results, **images)
    (figure,) = what_a_model_does.figures(saved)
    pairs, samples, ways = (axes.images[0].get_array() for axes in figure.axes)
    # Five times as large as stored, so as to be seen, with 2 white pixels between two.
    np.testing.assert_array_equal(pairs[:40:5, 32 : 32 + 30 : 5], images["originals"][1])
    np.testing.assert_array_equal(pairs[42:82:5, 32 : 32 + 30 : 5], images["reconstructions"][1])
    assert (pairs[:, 3 * 32 :] == 255).all()
    np.testing.assert_array_equal(samples[42:82:5, :30:5], images["samples"][8])
    assert ways.shape == samples.shape == (82, 254, *colour)
    (drawn,) = draw(saved, [what_a_model_does])[0]
    assert drawn.pieces[0].count("data:image/png") == 3


def test_a_saved_model_of_text_has_a_panel_of_lines_in_any_script(results: Results) -> None:
    lines = ["床前明月光", "the cats that the dog sees $run$ " * 4]
    saved = with_examples(
        results, originals=lines, reconstructions=["床前明月", "the cats run"], samples=["疑是地上霜"]
    )
    (drawn,), complaints = draw(saved, [what_a_model_does])
    assert not complaints
    said = re.findall(r">([^<>]+)</text>", drawn.pieces[0])
    cut = said.index("床前明月光") + 2
    assert said[cut - 2 : cut + 2] == ["床前明月光", "→ 床前明月", said[cut], "→ the cats run"]
    assert said[cut].startswith("the cats that the dog sees $run$")
    assert said[cut].endswith("…")
    assert said[-1] == "疑是地上霜"


def test_an_image_has_every_script_that_a_font_here_has(caplog: pytest.LogCaptureFixture) -> None:
    if len(SETTINGS["font.family"]) == 1:
        pytest.skip("no font here has Chinese characters: on Debian, apt-get install fonts-wqy-zenhei")
    # A glyph that is missing is a warning, and warnings are errors here.
    with matplotlib.rc_context(SETTINGS):
        figure = Figure()
        figure.text(0, 0, "床前明月光 and 1e-3", weight="bold")
        figure.canvas.draw()
    assert not caplog.records


def test_examples_that_cannot_be_read_are_none_and_are_said(tmp_path: Path, store: Store) -> None:
    other = build(tmp_path, ["tanh"], seeds=1, steps=50, depth=1)
    (cell,) = other.read_plan().cells
    (other.directory / "models").mkdir()
    (other.directory / "models" / f"{cell.identity}.json").write_text("{")
    (row,) = read(other).rows
    assert row.examples == {}
    assert "is no JSON" in row.unreadable
