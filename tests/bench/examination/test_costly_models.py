"""What deep models cost to diagnose: few programs."""

import csv

import jax
import pytest

from tests.doctor_cases.costly import MODELS, loss, made
from tests.doctor_cases.costs import HEADS
from tests.doctor_cases.table import TABLE
from vae_jax.diagnosis.calling.any_model import as_whole
from vae_jax.diagnosis.layers.chain import find_chain
from vae_jax.diagnosis.tracing.graph import trace
from vae_jax.diagnosis.tracing.passes import Passes


@pytest.fixture(autouse=True)
def as_people_run_it():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.parametrize("name", MODELS)
def test_few_of_a_deep_models_pieces_are_distinct(name):
    model, batch = made(name)
    whole = as_whole(model, batch, jax.random.key(0), loss)
    graph = trace(whole.function, whole.parameters, batch)
    chain = find_chain(graph, whole.parameters, graph.outputs[1:])
    passes = Passes(chain.graph, chain.watched)
    distinct = len({piece.key for piece in passes.pieces})
    # Of 100 dense layers there are 5; blocks of a transformer have more steps, and a head and an entry each.
    assert distinct <= 60
    assert len(chain.blocks) < 20 or 4 * distinct < len(passes.pieces)


def test_the_published_costs_are_of_every_model_and_within_a_minute_and_two_gigabytes():
    with (TABLE / "costs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADS
    newest = [row for row in rows if row["commit"] == rows[-1]["commit"]]
    assert [row["model"] for row in newest] == [*MODELS]
    assert all(float(row["seconds"]) <= 60 and float(row["memory, GB"]) <= 2 for row in newest)
