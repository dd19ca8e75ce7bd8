import math
from dataclasses import asdict

import pandas as pd

from bench.planning.job import Job
from bench.planning.protocol import Protocol
from bench.report.conclusions import blame_sentence
from bench.results.records import BlameRecord, PlannedCell, TheoryRecord
from bench.results.store import CURVE_COLUMNS, Store
from bench.training.record import cell_record, choose


def test_a_record_holds_what_json_can(tmp_path):
    job = Job(PlannedCell("digits-dense", "tanh", "baseline", "activation", "a-b", 0), Protocol(steps=1), 27.2)
    found = cell_record(
        job, status="ok", reason="", blame=BlameRecord("", "matrix", math.inf), learning_rate=0.1,
        theory={"encoder": TheoryRecord(gradient_ratio=(0.5, math.nan))}, changes={"dtype": ("float32", math.inf)},
    )  # fmt: skip
    assert found.learning_rate == 0.1
    assert found.theory["encoder"].gradient_ratio == (0.5, None)
    assert found.changes == {"dtype": ("float32", None)}
    # Where no gradient came back at all, no number says how much more does.
    assert found.blame is not None
    assert found.blame.factor is None
    assert blame_sentence(found.blame).endswith("comes back at the first layer, where none does otherwise.")
    store = Store(tmp_path)
    store.require_writable()
    store.write(found, pd.DataFrame({name: [] for name in CURVE_COLUMNS}))
    assert asdict(store.load("a-b").record) == asdict(found)


def test_the_best_rate_on_validation_is_chosen_among_those_that_ended():
    assert choose([5.0, 4.0, math.nan]) == 1
    assert choose([math.nan, math.inf]) is None
