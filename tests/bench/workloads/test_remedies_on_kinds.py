"""Remedies on every kind of model: each applies or says why not, and one of each family trains."""

import itertools

import jax
import numpy as np
import pytest

from bench.examination.small_workloads import small_bases
from bench.examination.trial import PROTOCOL, Trial
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.plugins.remedy import FAMILIES

CATALOGUE = load_catalogue()
# Families of which no remedy may apply: what they act on is not in every kind of model. A residual is put around dense
# layers or convolutions, and a model of text has recurrent ones alone.
NOT_EVERYWHERE = {"kl", "recurrent", "residual"}


@pytest.mark.long
@pytest.mark.parametrize("name", CATALOGUE.workloads)
def test_each_remedy_applies_or_says_why_not_and_one_of_each_family_trains(name):
    (on,) = (on for on in small_bases(CATALOGUE) if on.text.partition("[")[0] == name and on.base == "trainable")
    plan = make_plan(CATALOGUE, suite="smoke", workload=on.text, arms="trainable,trainable+*", steps=4)
    remedies = [cell for cell in plan.cells if cell.arm != "trainable"]
    assert len(remedies) == len(CATALOGUE.remedies)
    for cell in remedies:
        assert cell.status in ("planned", "not applicable"), (cell.arm, cell.reason)
        if cell.status == "not applicable":
            assert len(cell.reason.split()) > 4, cell.arm
    planned = [cell for cell in remedies if cell.status == "planned"]
    of_family = {
        family: next(cells) for family, cells in itertools.groupby(
            sorted(planned, key=lambda cell: FAMILIES.index(cell.family)), key=lambda cell: cell.family)
    }  # fmt: skip
    assert set(FAMILIES) - set(of_family) <= NOT_EVERYWHERE
    for cell in of_family.values():
        trial = Trial(on.text, cell.arm, on.plateau, ())
        trained = trial.train([0], PROTOCOL.learning_rates(trial.recipe.learning_rate)[0])
        assert int(trained.state.step) == PROTOCOL.steps, cell.arm
        assert int(trained.state.diverged_at) == -1, cell.arm
        for leaf in jax.tree.leaves(trained.state.parameters):
            assert np.isfinite(np.asarray(leaf, np.float32)).all(), cell.arm
