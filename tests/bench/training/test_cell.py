"""Cells of other kinds of models than a VAE: what such a model has not is empty, and not zero."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench import Z_IS_USED, workload
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.report.plots import PLOTS
from bench.report.publish import publish
from bench.results.columns import COLUMNS
from bench.results.results import Results
from bench.results.stored.store import Store
from bench.training.cell import Ran, run_cell
from tests.bench.training.other_models import made

PLUGIN = str(Path(__file__).with_name("other_models.py"))
OF_Z = (
    "kl_nats", "shuffled", "active_units", "importance_weighted", "mutual_information", "marginal_kl", "kl_units",
    "reconstruction_share_init", "reconstruction_share_end",
)  # fmt: skip


@pytest.fixture(scope="module", params=["plain", "coded"])
def ran(request, tmp_path_factory):
    """A cell of one workload, its curves, and its results as they are read from a store."""
    catalogue = load_catalogue([PLUGIN])
    plan = make_plan(
        catalogue, suite="smoke", workload=request.param, arms="baseline", seeds=2, rates=2, steps=130,
        plugins=(PLUGIN,),
    )  # fmt: skip
    outcome = run_cell(replace(plan.job(plan.cells[0]), tangent_kernel=True), lambda: None)
    assert isinstance(outcome, Ran)
    store = Store(tmp_path_factory.mktemp(request.param))
    store.require_writable()
    store.write_plan(plan.describe("typed"))
    store.write(outcome.record, outcome.curves)
    return request.param, outcome.record, outcome.curves, Results.read(store, COLUMNS)


def test_where_there_is_no_z_none_can_be_used():
    @workload
    def odd():
        """Judged by what it has not."""
        return made(False, left=Z_IS_USED)

    with pytest.raises(InputError, match=r"'odd' .* has left=Left.*: give bench\.BELOW_PLATEAU"):
        odd()


def test_what_a_model_has_not_is_empty(ran):
    kind, record, curves, _ = ran
    assert record.status == "ok"
    # What needs no z is there in both.
    assert 0 <= record.tangent_condition <= 7
    for training in record.trainings:
        assert training.score is not None
        # Of the stack that reads the data, whatever it is called.
        assert training.gradient_ratio_init is not None
        assert training.verdict
        for name in OF_Z:
            assert (getattr(training, name) is None) == (kind == "plain"), name
    if kind == "plain":
        assert all(training.score == training.reconstruction for training in record.trainings)
    validated = set(curves.loc[curves["split"] == "validation", "instrument"])
    read = set(curves.loc[curves["split"] == "train", "instrument"])
    assert ("kl_nats" in validated, "kl_nats" in read, "kl_gradient" in read) == (kind == "coded",) * 3
    # What the rule needs is recorded at every validation, and costs no step of training anything.
    assert "shuffled" not in read
    steps = curves.query("instrument == 'shuffled' and phase == 'reporting'")["step"].unique()
    assert list(steps) == ([100, 130] if kind == "coded" else [])


def test_readers_use_the_workloads_own_words(ran):
    kind, record, _, results = ran
    (row,) = results.rows
    assert (row.workload.latent, list(row.workload.layers)) == (4 if kind == "coded" else None, ["reads", "writes"])
    # A limit of ten times a plateau below 0 would lie below it.
    assert all(training.diverged_at is None for training in record.trainings)
    assert row.left == []
    text = " ".join(results.plan.protocol.words)
    assert ("error" in text, "draws of z" in text) == (kind == "plain", kind == "coded")
    assert not [said for said in publish(results, PLOTS) if "plot" not in said]
