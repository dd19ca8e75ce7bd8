"""A person's own columns and plots, and what is said of those that do not hold."""

import re
import types

import pandas as pd
import pytest

from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.plugins.source_file import load_plugin
from bench.report.own_views import BUILT_IN, load_plans_views, load_views
from bench.report.publish import publish
from bench.results.results import Results
from bench.results.tables import load
from bench.results.views import Views, views_of
from tests.bench.fake_store import build

OWN = """
from matplotlib.figure import Figure
from bench import column, plot

@column(unit="nats", title="lead", says="how far below the plateau the mean lies")
def lead(row) -> float | None:
    return row.plateau - row.over_seeds("score").mean

@column(unit="count", title="readings", says="of the hidden gradient, in all trainings", terminal=0)
def readings(row) -> int:
    return len(row.curves("hidden_gradient"))

@plot(title="Gain of each arm", caption="Longer is better.", needs=("score",))
def gains(results):
    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    axes.barh(results.summary["arm"], results.summary["lead"])
    return figure
"""


@pytest.fixture
def store(tmp_path):
    return build(tmp_path / "run", ["baseline", "tanh", "clip_by_global_norm"], seeds=2, steps=50, depth=1)


def written(tmp_path, text=OWN):
    path = tmp_path / "my_views.py"
    path.write_text(text)
    return str(path)


def published(store, views):
    return publish(Results.read(store, views.columns), views.plots)


def test_a_column_and_a_plot_are_in_table_page_and_files(tmp_path, store):
    assert published(store, load_views([written(tmp_path)])) == []
    table = pd.read_csv(store.directory / "summary.csv").set_index("arm")
    assert list(table.columns[-2:]) == ["lead", "readings"]
    assert table.loc["tanh", "lead"] == pytest.approx(table.loc["tanh", "plateau"] - table.loc["tanh", "score"])
    assert table.loc["tanh", "readings"] == 2 * 3 * 4
    # A figure that does not exist is empty, and never zero.
    assert list(table.loc["clip_by_global_norm", ["lead", "readings"]].isna()) == [True, True]
    page = (store.directory / "report.html").read_text()
    assert '<button type="button">lead</button>' in page
    assert "<h3>Gain of each arm</h3>" in page
    assert re.search(r"\| *lead \| *readings \|$", (store.directory / "summary.md").read_text(), re.MULTILINE)
    assert (store.directory / "plots" / "gains.svg").exists()
    assert (store.directory / "plots" / "gains.png").exists()


def test_a_column_can_be_given_to_load(tmp_path, store):
    (lead, _) = load_views([written(tmp_path)]).columns[len(BUILT_IN.columns) :]
    assert load(store.directory, arms="tanh", columns=[lead])[0]["lead"].iloc[0] > 2


def test_a_plugin_of_views_alone_is_a_plugin(tmp_path):
    views = load_catalogue([written(tmp_path)]).views
    assert [each.name for each in (*views.columns, *views.plots)] == ["lead", "readings", "gains"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    return row.plateau - row", "    return row.no_such - row",
         "column 'lead' in {file}, line 7, raised AttributeError: 'Row' object has no attribute 'no_such', "
         "of 'baseline' first: it is left empty there"),
        ("    return row.plateau - row", "    assert row.cell.arm != 'tanh'\n    return row.plateau - row",
         "line 7, raised AssertionError, of 'tanh' first"),
        ("    return len(row", "    return 0.5 or len(row", "line 9, raised TypeError: gave 0.5, where it says int"),
        ("    axes.barh(", "    axes.barhh(", "plot 'gains' in {file}, line 17, raised AttributeError"),
        ("    return figure", "    return 1, 2", "raised TypeError: gave no matplotlib Figure, nor a list of them"),
    ],
)  # fmt: skip
def test_what_raises_is_a_sentence_and_costs_nothing_else(tmp_path, store, old, new, said):
    path = written(tmp_path, OWN.replace(old, new))
    (sentence,) = published(store, load_views([path]))
    assert said.format(file=path) in sentence
    assert len(sentence.splitlines()) == 1
    page = (store.directory / "report.html").read_text()
    assert "<h3>-ELBO over steps</h3>" in page
    assert "raised" in page
    assert len(pd.read_csv(store.directory / "summary.csv").dropna(subset="score")) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("-> float | None", "", "column 'lead' in {file}, line 5, does not say what it returns"),
        ('"how far below the plateau the mean lies"', '""', "says nothing"),
        ("def lead(row)", "def lead(row, other)", "takes 2 arguments: it is given 1"),
        ("def lead(", "def kl_nats(", "takes a name that is taken by"),
        ('"Gain of each arm"', '""', "has no title"),
    ],
)
def test_what_does_not_hold_is_said_when_it_is_loaded(tmp_path, old, new, said):
    path = written(tmp_path, OWN.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_views([path])
    assert said.format(file=path) in str(caught.value)


def test_a_plot_called_as_a_built_in_is_refused(tmp_path):
    path = written(tmp_path, OWN.replace("def gains(", "def score_over_steps("))
    with pytest.raises(InputError, match=r"plot 'score-over-steps' in .* takes a name that is taken by .*progress\.py"):
        load_views([path])


def test_a_plugin_of_remedies_alone_is_not_run_to_read_a_store(tmp_path):
    path = written(tmp_path, "raise RuntimeError('run')")
    assert load_views([path]) == BUILT_IN
    assert load_plans_views([path]) == (BUILT_IN, [])


def test_what_is_gone_or_broken_since_is_said_and_skipped(tmp_path):
    path = written(tmp_path)
    gone = str(tmp_path / "gone.py")
    broken = tmp_path / "broken.py"
    broken.write_text("from bench import column\nraise RuntimeError('no')\n")
    views, skipped = load_plans_views([gone, path, str(broken)])
    assert len(views.columns) == len(BUILT_IN.columns) + 2
    assert [sentence.partition(":")[0] for sentence in skipped] == [
        f"plugin {gone} of this run is gone", f"plugin {broken}, line 2, raised RuntimeError when it was loaded",
    ]  # fmt: skip
    with pytest.raises(InputError, match="there is no plugin file"):
        load_views([gone])


def test_views_that_one_file_imports_from_another_count_once(tmp_path):
    (module,) = load_plugin(written(tmp_path))
    other = types.ModuleType("other")
    vars(other)["lead"] = vars(module)["lead"]
    assert views_of([module, other]) == views_of([module])
    assert views_of([types]) == Views()
