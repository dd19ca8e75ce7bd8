"""The doctor on models after public reports: what it says is what was expected before it was asked."""

import csv
from collections import Counter

import jax
import pytest

from tests.doctor_cases.cases import own_cases, shared_cases, shared_folder, wrong
from tests.doctor_cases.table import HEADS, TABLE, asked
from vae_jax.diagnosis.verdict import WORDS

# One a verdict, each quick; the others take a minute or less.
QUICK = {
    "healthy/zero_head_regressor", "not_finite/same_time_twice", "no_gradient/accuracy_as_loss", "latent/collapsed",
    "latent/mark_not_used", "gradient/raw_pixels_tanh", "gradient/forgetting_cell", "gradient/expanding_recurrence",
    "latent/one_code",
}  # fmt: skip

MOST_WRONG = 3


@pytest.fixture(autouse=True)
def as_people_run_it():
    """What people write needs the standard rules of promotion; one of theirs turns 64 bits on."""
    wide = jax.config.read("jax_enable_x64")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_enable_x64", wide)
    jax.config.update("jax_debug_nans", False)


def marked(cases):
    return [pytest.param(case, id=case.name, marks=() if case.name in QUICK else pytest.mark.long) for case in cases]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", marked(own_cases()))
def test_what_is_said_is_what_was_expected(case, tmp_path):
    assert wrong(case, *asked(case, tmp_path)) == []


@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(shared_folder() is None, reason="needs the models of others beside the data VAE_JAX_DATA names")
@pytest.mark.parametrize("case", marked(shared_cases()))
def test_what_is_said_of_the_models_of_others_is_what_their_answers_say(case, tmp_path):
    assert wrong(case, *asked(case, tmp_path)) == []


def test_cases_are_of_many_kinds_and_no_two_share_fault_and_kind_of_model():
    cases = own_cases()
    assert len(cases) >= 40
    assert max(Counter((case.kind, case.fault) for case in cases).values()) == 1
    words = Counter(word for case in cases for word in case.words)
    assert set(WORDS) <= set(words)
    assert words["healthy"] >= 12
    built = ("conv", "attention", "lstm", "gru", "recurr", "transformer", "scan", "rnn")
    assert sum(any(each in case.kind.lower() for each in built) for case in cases) >= 10


def test_the_published_table_holds_every_case_and_at_most_three_are_wrong():
    with (TABLE / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADS
    assert [row["case"] for row in rows] == [case.name for case in (*own_cases(), *shared_cases())]
    assert sum(row["right"] != "yes" for row in rows) <= MOST_WRONG
    assert all(float(row["seconds"]) <= 60 and float(row["memory, GB"]) <= 2 for row in rows)
