import math
from dataclasses import replace

import pandas as pd
import pytest

from bench.results.judging.escape import escape
from bench.results.judging.score import Z_IS_USED
from tests.bench.fake_store import PLATEAU, build, read

STEPS = [100, 200, 300, 400, 500]


@pytest.fixture
def workload(tmp_path):
    store = build(tmp_path, ["baseline"], seeds=1, steps=50, depth=1)
    (found,) = read(store).plan.workloads.values()
    return found


@pytest.mark.parametrize(
    ("below", "found"),
    [
        ([0, 0, 1, 2, 3], (300, True)),
        ([1, 1, 1, 1, 1], (100, True)),
        # Back on the plateau once, so that it had not left for good.
        ([0, 1, 0, 1, 2], (400, True)),
        ([0, 0, 0, 0, 0], (500, False)),
        ([0, 1, 2, 1, 0], (500, False)),
        ([1, 1, math.nan, math.nan, math.nan], (500, False)),
    ],
)
def test_it_is_the_step_from_which_on_it_has_left(workload, below, found):
    validation = pd.DataFrame({"score": [PLATEAU - each for each in below]}, index=STEPS)
    assert escape(workload, PLATEAU, validation) == found


def test_of_a_decoder_that_may_do_without_z_it_is_when_z_is_used(workload):
    validation = pd.DataFrame(
        {"score": 20.0, "reconstruction": 19.0, "shuffled": [19.1, 19.3, 19.8, 20.0, 21.0],
         "kl_nats": [0.1, 0.6, 0.7, 0.8, 0.9]}, index=STEPS,
    )  # fmt: skip
    assert escape(replace(workload, left=Z_IS_USED), PLATEAU, validation) == (300, True)


def test_nothing_is_told_where_nothing_was_validated(workload):
    assert escape(workload, PLATEAU, pd.DataFrame({"score": []})) is None


def test_an_arms_median_is_over_its_seeds(tmp_path):
    results = read(build(tmp_path, ["baseline", "tanh"], seeds=3, steps=1000, depth=1))
    table = results.summary.set_index("arm")
    # The plateau on validation lies below that on test, where the fake arm's curve ends 2.4 nats below it.
    assert 0 < table.loc["tanh", "escape_step"] < 1000
    assert math.isnan(table.loc["baseline", "escape_step"])
    (row,) = (row for row in results.rows if row.cell.arm == "tanh")
    assert row.timing is not None
    seconds = sorted(row.timing.seconds_per_step)[1]
    assert table.loc["tanh", "escape_seconds"] == pytest.approx(table.loc["tanh", "escape_step"] * seconds)
