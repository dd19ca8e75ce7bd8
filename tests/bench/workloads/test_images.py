"""Workloads of images: what they load, where they stall, and that a base lifts them."""

import math
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from bench.data.images import flat_images, images
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload
from bench.planning.plan import Plan, make_plan
from bench.training.cell import run_cell
from tests.bench.data.real_data import needs_files
from vae_jax.towers.hidden import Run

CATALOGUE = load_catalogue()


def workload(text):
    return build_workload(CATALOGUE, text)[1]


def ran(text, arms, steps) -> tuple[Plan, dict[str, Any]]:
    """The record of each arm's one fresh seed; the bound, which nothing here reads, with a tenth of its draws."""
    plan = make_plan(CATALOGUE, suite="smoke", workload=text, arms=arms, seeds=1, rates=1, steps=steps)
    protocol = replace(plan.protocol, importance_samples=10)
    jobs = [replace(plan.job(cell), protocol=protocol, identity=None) for cell in plan.planned]
    outcomes: Any = {job.cell.arm: run_cell(job, lambda: None) for job in jobs}
    return plan, {arm: outcome.record for arm, outcome in outcomes.items()}


def test_an_autoencoders_baseline_stalls_by_its_gradient_and_the_trainable_base_lifts_it():
    plan, found = ran("autoencoder", "baseline,trainable,trainable+beta", steps=150)
    (stuck,), (learnt,) = (found[arm].trainings for arm in ("baseline", "trainable"))
    # Of one rate there is nothing to choose, and it is not trained to be chosen.
    assert {(record.tuning, record.learning_rate) for record in found.values()} == {((), 0.03), ((), 1e-3)}
    plateau, margin = plan.loaded.plateau, plan.loaded.workload.score.margin
    # The mean of the test images' variance around the training mean, by hand.
    data = plan.loaded.dataset
    assert plateau == pytest.approx(float(((data.test - data.train.mean(axis=0)) ** 2).sum(axis=1).mean()), rel=1e-6)
    assert stuck.gradient_ratio_init < 1e-3
    assert stuck.verdict == "vanishing"
    assert stuck.score > plateau - margin
    assert 0.1 < learnt.gradient_ratio_init < 10
    assert learnt.score < plateau - 10 * margin
    assert (learnt.kl_nats, learnt.active_units, learnt.mutual_information) == (None, None, None)
    # There is no KL term that a remedy of it could act on, and its row says so.
    (idle,) = (cell for cell in plan.cells if cell.arm == "trainable+beta")
    assert idle.status == "not applicable"
    assert "sets 'kl_schedules', which no training of 'trainable' on autoencoder reads" in idle.reason


def test_a_classifiers_baseline_stalls_on_the_frequencies_and_the_trainable_base_tells_digits_apart():
    plan, found = ran("classify", "baseline,trainable", steps=150)
    (stuck,), (learnt,) = (found[arm].trainings for arm in ("baseline", "trainable"))
    plateau, rows = plan.loaded.plateau, plan.loaded.dataset.test
    assert plateau == pytest.approx(math.log(10), rel=0.01)
    frequencies = np.bincount(plan.loaded.dataset.train["labels"], minlength=10) / 1257
    assert plateau == pytest.approx(-np.log(frequencies)[rows["labels"]].mean(), rel=1e-6)
    assert stuck.gradient_ratio_init < 1e-3
    assert stuck.score > plateau - plan.loaded.workload.score.margin
    assert stuck.accuracy < 0.3
    assert learnt.score < plateau / 2
    assert learnt.accuracy > 0.85
    assert learnt.kl_nats is None


def test_the_taught_sizes_are_a_parameter():
    taught = workload("image-dense[data=mnist,widths=128-64,latent=20,likelihood=mse]").architecture
    assert {stack: [run.shape for run in runs] for stack, runs in taught.stacks.items()} == {
        "encoder": [(128,), (64,)],
        "decoder": [(64,), (128,)],
    }
    deep = workload("image-dense[data=mnist,widths=128x16,latent=16]").architecture
    assert deep.stacks["encoder"] == (Run(16, (128,)),)
    assert workload("autoencoder[data=mnist,widths=64,code=32]").architecture.mean_shape == (784,)


def test_an_averaged_error_is_an_accidental_beta_and_its_plateau_is_per_pixel():
    summed, averaged = (workload(f"image-dense[likelihood={name}]") for name in ("mse", "mse-averaged"))
    data = summed.data()
    assert averaged.plateau(data, data.test) == pytest.approx(summed.plateau(data, data.test) / 64)
    assert averaged.score.unit == "per pixel"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image-dense[data=cifar]", "unknown data set 'cifar'"),
        ("image-dense[likelihood=poisson]", "likelihood must be one of bernoulli, mse"),
        ("image-dense[binarisation=twice]", "binarisation must be one of anew, fixed, none"),
        ("image-dense[widths=0]", "must name 1 to"),
        ("autoencoder[corruption=-1]", "corruption must be at least 0"),
        ("image-dense[data=tang-poems]", "data 'tang-poems' holds text, and this workload is of images or rows of"),
        ("classify[data=frey-faces]", "data 'frey-faces' has no labels"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(text, said):
    with pytest.raises(InputError, match=said):
        workload(text)


def test_binarisation_is_anew_once_or_none():
    anew, fixed, none = (flat_images(images("digits"), name)() for name in ("anew", "fixed", "none"))
    assert set(np.unique(fixed.train)) == {0.0, 1.0}
    np.testing.assert_array_equal(anew.train, none.train)
    np.testing.assert_array_equal(anew.test, fixed.test)
    assert set(np.unique(anew.test)) == {0.0, 1.0}
    assert len(np.unique(none.test)) > 2
    # The outputs start at the intensities' mean, whatever is drawn of them.
    np.testing.assert_array_equal(anew.mean, fixed.mean)


def test_images_are_binarised_as_is_usual_under_a_likelihood_and_as_asked_where_one_asks():
    for text, drawn in (
        ("image-dense", True), ("image-dense[likelihood=mse]", False), ("image-dense[binarisation=none]", False),
        ("image-dense[likelihood=mse,binarisation=anew]", True), ("image-conv", True),
        ("image-conv[binarisation=none]", False), ("image-conv[network=deepobs]", False),
    ):  # fmt: skip
        built = workload(text)
        data = built.data()
        rows, mean = jax.numpy.asarray(data.train[:64]), jax.numpy.asarray(data.mean)
        seen = built.architecture.present(jax.random.key(0), rows, mean).target
        assert (len(np.unique(seen)) == 2) == drawn, text
        assert (len(np.unique(data.test)) == 2) == drawn, text


def test_a_part_of_the_training_set_is_enough_to_ask_for():
    assert images("digits", 600).splits().sizes == (600, 270, 270)


@needs_files
@pytest.mark.parametrize(
    ("name", "sizes"), [("mnist", (50_000, 10_000, 10_000)), ("binarized-mnist", (50_000, 10_000, 10_000)),
                        ("frey-faces", None)],
)  # fmt: skip
def test_real_images_are_intensities_of_the_size_that_is_said(name, sizes):
    found = images(name)
    data = flat_images(found, "none")()
    assert sizes is None or (len(data.train), len(data.validation), len(data.test)) == sizes
    assert data.train.shape[1] == found.numbers
    assert data.train.dtype == np.float32
    assert 0 <= data.train.min() < 0.2
    assert 0.8 < data.train.max() <= 1
