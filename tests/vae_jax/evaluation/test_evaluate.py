import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.vae_jax import reference
from tests.vae_jax.small_vae import ARCHITECTURE, DATASET, TANH, begin, compiled, data, double, numbers
from vae_jax.evaluation import estimates
from vae_jax.evaluation.estimates import Estimates, estimate
from vae_jax.evaluation.evaluate import Evaluation, calibrate, evaluate, validate
from vae_jax.layers.normalization import batch_norm
from vae_jax.models import pieces
from vae_jax.models.batch import Batch
from vae_jax.models.classifier import ClassifierArchitecture
from vae_jax.models.pieces import fitting
from vae_jax.models.presentations import Binarised, Presentation
from vae_jax.optimization.evaluated import best_on_validation, exponential_average
from vae_jax.recipe.configured import configure
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.skip_connections import latent_context
from vae_jax.towers.tapered import Tapered
from vae_jax.training.train import Data, init


def test_evaluation_is_the_plain_bound_over_several_draws():
    state = begin(TANH)
    x = jnp.asarray(DATASET.test)
    key = jax.random.key(9)
    recipe = TANH.replace(kl_treatment=Recipe().kl_treatment).traced()
    evaluation = Evaluation(key, recipe, data(), x)
    found = evaluate(state.parameters, state.statistics, evaluation, architecture=ARCHITECTURE, draws=3)
    noise = jax.random.normal(named_key(key, "evaluate"), (3 * len(x), ARCHITECTURE.latent))
    repeated = np.tile(np.asarray(x, np.float64), (3, 1))
    expected = reference.step(
        double(state.parameters), repeated, repeated - DATASET.mean, np.asarray(noise, np.float64)
    )
    np.testing.assert_allclose(found.score, expected["score"], rtol=1e-5)
    assert found.kl_nats is not None
    np.testing.assert_allclose(found.kl_nats, expected["kl_nats"], rtol=1e-4)


def test_batch_normalization_is_evaluated_by_the_training_sets_statistics():
    recipe = TANH.replace(normalization=batch_norm)
    state = begin(recipe)
    key = jax.random.key(2)
    evaluation = Evaluation(key, recipe.traced(), data(), data().train)
    statistics = calibrate(state.parameters, state.statistics, evaluation, architecture=ARCHITECTURE)
    drawn = np.asarray(Binarised()(named_key(key, "observe"), *data()).target, np.float64)
    assert drawn.shape == (1257, 64)
    sums = (drawn - DATASET.mean) @ np.asarray(state.parameters["encoder"]["input"]["dense"]["kernel"], np.float64)
    np.testing.assert_allclose(statistics["encoder"]["input"]["normalization"]["mean"], sums.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(statistics["encoder"]["input"]["normalization"]["var"], sums.var(axis=0), rtol=1e-4)


def test_a_training_is_evaluated_at_the_parameters_that_its_recipe_chooses():
    best = configure(best_on_validation, patience=2)
    average = configure(exponential_average, decay=0.5)
    recipe = TANH.replace(selected_parameters=best, evaluated_parameters=average)
    traced = recipe.traced()
    state, plain = begin(recipe), begin(TANH)
    check = jax.jit(functools.partial(validate, architecture=ARCHITECTURE, draws=1))
    evaluation = Evaluation(jax.random.key(1), traced, data(), jnp.asarray(DATASET.validation))
    seen = []
    # The second chunk's rate wrecks what the first has learnt.
    for index, rate in enumerate((0.1, 1.0)):
        chunk = numbers(recipe, rate, 20)[index]
        state, _ = compiled()(state, jax.random.key(0), chunk, data())
        plain, _ = compiled()(plain, jax.random.key(0), chunk._replace(recipe=TANH.traced()), data())
        # Two programs, so their roundings may differ; trained on from the average, parameters would be 0.01 apart.
        jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), state.parameters, plain.parameters)
        terms, selected = check(state, jnp.asarray(False), evaluation)
        seen.append(terms.score)
        state = state._replace(selected=selected)
    assert seen[0] < seen[1]
    ended, _ = check(state, jnp.asarray(True), evaluation)
    np.testing.assert_allclose(ended.score, seen[0], rtol=1e-6)


@dataclass(frozen=True)
class Masked:
    """Labels of which some do not count."""

    def __call__(self, key, rows, mean):
        return Batch(rows["images"], rows["labels"], rows["counts"])


class MaskedClassifier(ClassifierArchitecture):
    """A classifier that is given them."""

    @property
    def present(self) -> Presentation:
        return Masked()


def in_sevenths(monkeypatch, architecture, function):
    """What it gives at once, and where a seventh of the rows, rounded down, fits at once."""
    whole = function()
    monkeypatch.setattr(pieces, "_AT_ONCE", 5 * 270 // 7 * pieces._AT_ONCE // fitting(architecture))
    assert fitting(architecture) < 5 * 270
    return whole, function()


def test_held_out_examples_in_pieces_give_what_they_give_at_once(monkeypatch):
    recipe = TANH.replace(decoder_context=latent_context)
    state = begin(recipe)
    evaluation = Evaluation(jax.random.key(9), recipe.traced(), data(), jnp.asarray(DATASET.test))

    def figures() -> Any:
        parts = evaluate(state.parameters, state.statistics, evaluation, architecture=ARCHITECTURE, draws=5)
        sizes = {"architecture": ARCHITECTURE, "samples": 25, "chunk": 10}
        return parts, estimate(state, jnp.asarray(True), evaluation, **sizes)

    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=2e-5, atol=1e-6),
        *in_sevenths(monkeypatch, ARCHITECTURE, figures),
    )


def test_what_counts_of_a_piece_has_its_share_of_the_accuracy(monkeypatch):
    architecture, draw = MaskedClassifier(64, 10, 2, 16, Tapered((16, 16))), np.random.default_rng(0)
    # Of the first half hardly any label counts.
    counts = draw.random(270) < np.where(np.arange(270) < 135, 0.1, 0.9)
    rows = {"images": DATASET.test, "labels": draw.integers(0, 3, 270).astype(np.int32), "counts": counts}
    rows = jax.tree.map(jnp.asarray, rows)
    mean = jnp.full((10,), 0.1)
    parameters, statistics = init(jax.random.key(0), TANH, architecture, Data(rows, mean))
    evaluation = Evaluation(jax.random.key(9), TANH.traced(), Data(rows, mean), rows)
    whole, found = in_sevenths(
        monkeypatch,
        architecture,
        lambda: evaluate(parameters, statistics, evaluation, architecture=architecture, draws=5),
    )
    assert whole.accuracy is not None
    assert 0 < whole.accuracy < 1
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2e-5), whole, found)


def test_statistics_of_a_training_set_that_does_not_fit_are_of_examples_from_all_of_it(monkeypatch):
    recipe = TANH.replace(normalization=batch_norm)
    state = begin(recipe)
    evaluation = Evaluation(jax.random.key(2), recipe.traced(), data(), data().train)
    monkeypatch.setattr(pieces, "_AT_ONCE", 400 * pieces._AT_ONCE // fitting(ARCHITECTURE))
    most = fitting(ARCHITECTURE)
    few = data().train[np.arange(most) * 1257 // most]
    some = evaluation._replace(data=Data(few, data().mean))
    for_all, for_some = (
        calibrate(state.parameters, state.statistics, each, architecture=ARCHITECTURE) for each in (evaluation, some)
    )
    assert most < 1257
    jax.tree.map(np.testing.assert_array_equal, for_all, for_some)


def test_of_a_model_too_large_to_decode_all_the_bound_is_of_some_from_the_whole_set(monkeypatch):
    state, x = begin(TANH), jnp.asarray(DATASET.test)
    # The training set's posteriors are enough for the mutual information, whatever is held out.
    sizes: Any = {"architecture": ARCHITECTURE, "samples": 20, "chunk": 10}

    def found(rows: jax.Array) -> Estimates:
        return estimate(state, jnp.asarray(True), Evaluation(jax.random.key(9), TANH.traced(), data(), rows), **sizes)

    expected, whole = found(x[np.arange(90) * 3]), found(x)
    monkeypatch.setattr(pieces, "_AT_ONCE", 18 * pieces._AT_ONCE // fitting(ARCHITECTURE))
    monkeypatch.setattr(estimates, "_TIMES", 100)
    assert fitting(ARCHITECTURE) == 18
    some = found(x)
    for name in ("bound", "standard_error", "effective_samples"):
        np.testing.assert_allclose(getattr(some, name), getattr(expected, name), rtol=1e-5)
    np.testing.assert_allclose(some.kl_units, whole.kl_units, rtol=1e-5)
