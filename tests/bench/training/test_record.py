import math
from dataclasses import asdict

import numpy as np
import pandas as pd

from bench.planning.job import Job
from bench.planning.protocol import Protocol
from bench.report.conclusions import blame_sentence
from bench.results.stored.records import BlameRecord, PlannedCell, TheoryRecord
from bench.results.stored.store import CURVE_COLUMNS, Store
from bench.training.curves import CurveWriter
from bench.training.explanation import with_verdicts
from bench.training.record import Run, cell_record, training_record
from vae_jax.objective.bound import LossParts


def test_a_record_holds_what_json_can(tmp_path):
    job = Job(PlannedCell("digits-dense", "tanh", "baseline", "activation", "a-b", 0), Protocol(steps=1), 27.2, 27.0)
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


def read(**stacks):
    """Readings of two records: a number to each layer of a stack."""
    return {stack: np.stack([layers, layers]) for stack, layers in stacks.items()}


GRADIENT = read(layers=np.array([9.0, 0.25, 0.5, 1.0], np.float32), after=np.ones(2, np.float32))
READINGS = {
    "hidden_gradient": GRADIENT,
    "reconstruction_gradient": GRADIENT,
    "mean_cosine": read(layers=np.array([0.1, 0.2, 0.3, 0.4]), after=np.zeros(2)),
    "shared_gradient": read(layers=np.array([0.9, 0.5, 0.2, 0.04]), after=np.zeros(2)),
    "saturated": read(layers=np.array([0.0, 0.5, 0.2, 0.1]), after=np.zeros(2)),
}


def parts(*values):
    """A score and its parts as they come from the device."""
    return LossParts(*(np.float32(value) for value in values))  # type: ignore


def recorded(readings, final, judged=True, limit=100.0):
    return training_record(1, 0.1, Run(readings, None, final, -1), 50, limit, "layers", judged)


def verdict(training, layers=4):
    (found,) = with_verdicts([training], {"optimizer": "optax.adam"}, layers)
    return found


def test_a_model_without_z_has_no_code_and_is_judged_without_one():
    found = recorded(READINGS, parts(-3.0, -3.0))
    assert (found.score, found.kl_nats, found.shuffled, found.active_units) == (-3.0, None, None, None)
    # Of the stack that reads the data, from its first block to its last.
    assert (found.gradient_ratio_init, found.gradient_per_layer_init, found.flat_init) == (0.25, 0.5, 0.5)
    assert (found.mean_cosine_end, found.reconstruction_share_init) == (0.4, None)
    assert (found.shared_gradient_init, found.shared_gradient_end) == (0.04, 0.04)
    judged = verdict(found)
    assert (judged.verdict, judged.because) == (
        "healthy", "the gradient ratio is 0.25, 4% of dL/dh is the same for all examples"
    )  # fmt: skip


def test_where_there_are_too_few_blocks_no_ratio_is_told_and_the_other_rules_hold():
    gradient = read(layers=np.array([9.0, 0.25], np.float32), after=np.ones(2, np.float32))
    found = recorded(READINGS | {"hidden_gradient": gradient}, parts(-3.0, -3.0))
    assert (found.gradient_ratio_init, found.gradient_ratio_end, found.gradient_per_layer_init) == (None, None, None)
    assert verdict(found, layers=2).because == "there is no gradient ratio, 4% of dL/dh is the same for all examples"


def test_what_no_instrument_reads_is_not_there():
    found = recorded({"score": np.zeros(2)}, parts(2.0, 1.5, 0.5))
    assert (found.score, found.kl_nats) == (2.0, 0.5)
    judged = verdict(found)
    assert {judged.gradient_ratio_init, judged.mean_cosine_init, judged.flat_init, judged.verdict} == {None}


def test_a_score_that_ends_beyond_the_limit_has_diverged():
    found = recorded(READINGS, parts(101.0, 101.0))
    assert (found.diverged_at, found.score, verdict(found).verdict) == (50, None, None)
    assert recorded(READINGS, parts(-101.0, -101.0)).diverged_at is None


def test_curves_have_no_row_of_what_is_not_there():
    writer, protocol = CurveWriter(), Protocol(steps=3, validate_every=2, record_every=1)
    writer.add(protocol, "tuning", 0, 0.1, {}, parts([2.0, 1.0], [2.0, 1.0]))
    writer.add(protocol, "tuning", 1, 0.1, {}, parts(*np.arange(8.0).reshape(4, 2)))
    rows = writer.frame()
    assert rows.groupby("seed")["instrument"].unique().map(list).to_dict() == {
        0: ["score", "reconstruction"], 1: ["score", "reconstruction", "kl_nats", "shuffled"],
    }  # fmt: skip
    assert list(rows["step"].unique()) == [2, 3]


def test_layers_that_no_example_has_are_no_end_of_the_way():
    """As the last steps of a text, which the longest sentences alone reach: in one record there, in another not."""
    gradient = np.array([[9.0, 0.25, 0.5, 1.0, np.nan], [9.0, 0.25, 0.5, 1.0, 0.125]], np.float32)
    cosine = np.array([[0.1, 0.2, 0.3, 0.4, np.nan], [0.1, 0.2, 0.3, 0.4, 0.7]])
    more = {"hidden_gradient": {"layers": gradient}, "mean_cosine": {"layers": cosine},
            "saturated": {"layers": np.array([[0.0, 0.5, 0.2, 0.1, np.nan]])}}  # fmt: skip
    found = recorded(more, parts(-3.0, -3.0))
    assert (found.gradient_ratio_init, found.gradient_ratio_end, found.gradient_per_layer_init) == (0.25, 2.0, 0.5)
    assert (found.mean_cosine_init, found.mean_cosine_end, found.flat_init) == (0.4, 0.7, 0.5)
    assert verdict(found).verdict == "healthy"
    # A gradient that is no number has overflowed on its way, though the record can hold no such number.
    lost = {"hidden_gradient": {"layers": np.full((2, 4), np.nan)}, "shared_gradient": more["mean_cosine"]}
    assert recorded(lost, parts(-3.0, -3.0)).gradient_ratio_init is None
    assert verdict(recorded(lost, parts(-3.0, -3.0))).verdict == "exploding"
