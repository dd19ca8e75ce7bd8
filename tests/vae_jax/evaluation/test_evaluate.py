import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.vae_jax import reference
from tests.vae_jax.small_vae import ARCHITECTURE, DATASET, TANH, begin, compiled, data, double, numbers
from vae_jax.evaluation.evaluate import Evaluation, calibrate, evaluate, validate
from vae_jax.layers.normalization import batch_norm
from vae_jax.models.presentations import Binarised
from vae_jax.optimization.evaluated import best_on_validation, exponential_average
from vae_jax.recipe.configured import configure
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe


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
    for index, rate in enumerate((0.1, 3.0)):
        chunk = numbers(recipe, rate, 20)[index]
        state, _ = compiled()(state, jax.random.key(0), chunk, data())
        plain, _ = compiled()(plain, jax.random.key(0), chunk._replace(recipe=TANH.traced()), data())
        jax.tree.map(np.testing.assert_array_equal, state.parameters, plain.parameters)
        terms, selected = check(state, jnp.asarray(False), evaluation)
        seen.append(terms.score)
        state = state._replace(selected=selected)
    assert seen[0] < seen[1]
    ended, _ = check(state, jnp.asarray(True), evaluation)
    np.testing.assert_allclose(ended.score, seen[0], rtol=1e-6)
