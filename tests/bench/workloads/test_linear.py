"""The linear workload, trained: every estimate beside its exact value."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload
from tests.vae_jax.small_vae import drawing, numbers
from vae_jax.evaluation.estimates import estimate
from vae_jax.evaluation.evaluate import Evaluation
from vae_jax.objective.loss import structure
from vae_jax.optimization.schedules import cosine_decay
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.theory.linear_gaussian import LinearGaussian, active_dimensions, maximum_likelihood, spectrum
from vae_jax.training.instruments import INSTRUMENTS
from vae_jax.training.train import Data, Loop, init, start

CATALOGUE = load_catalogue()
KEY = jax.random.key(0)
RECORD = Loop(128, 1, 1, tuple(instrument for instrument in INSTRUMENTS if instrument.name == "hidden_gradient"))


def workload(text="linear"):
    return build_workload(CATALOGUE, text)[1]


def begin(built, recipe):
    dataset = built.data()
    arrays = Data(jnp.asarray(dataset.train), jnp.asarray(dataset.mean))
    drawn = jax.jit(init, static_argnums=2)(named_key(KEY, "init"), recipe, built.architecture, arrays)
    return start(numbers(recipe, recipe.learning_rate, 1)[0], *drawn), arrays


@functools.cache
def first_record(architecture):
    return jax.jit(drawing(architecture, RECORD))


@pytest.mark.parametrize(("base", "ratio"), [("baseline", 0.25), ("trainable", 1.0)])
def test_the_gradient_shrinks_by_an_exact_factor_in_every_block(base, ratio):
    built = workload("linear[depth=4]")
    # One optimizer for both, so that they share a program: the first record is of the state before any step.
    recipe = built.bases[base].replace(optimizer=optax.sgd)
    state, arrays = begin(built, recipe)
    _, readings = first_record(built.architecture)(state, KEY, numbers(recipe, 0.01, 1, RECORD)[0], arrays)
    for tower in ("encoder", "decoder"):
        profile = np.asarray(readings["hidden_gradient"][tower][0], float)
        np.testing.assert_allclose(profile[1:-1] / profile[2:], ratio, rtol=1e-4)


def test_the_plateau_is_what_a_decoder_without_z_reaches():
    built = workload()
    dataset = built.data()
    sizes: Any = built.architecture
    x = jnp.asarray(dataset.test)
    outputs = jnp.broadcast_to(jnp.asarray(dataset.mean), x.shape)
    plateau = built.plateau(dataset, dataset.test)
    np.testing.assert_allclose(plateau, -sizes.likelihood.log_prob(outputs, x).mean(), rtol=1e-5)
    best = maximum_likelihood(dataset.train.astype(float), sizes.latent, 0.6).log_prob(dataset.test.astype(float))
    assert 0 < -best.mean() < plateau / 2
    # Of many dimensions and a narrow likelihood a density is above 1, and -ELBO negative.
    for text, sign in (("linear[data=8]", 1), ("linear[data=1024,standard_deviation=0.15]", -1)):
        other = workload(text)
        assert other.plateau(other.data(), other.data().test) * sign > 0


def affine(function, inputs):
    """Slope (inputs, outputs) and offset of an affine function."""
    offset = function(jnp.zeros((1, inputs)))
    return np.asarray(function(jnp.eye(inputs)) - offset, float), np.asarray(offset[0], float)


def test_a_trained_linear_vae_reaches_the_optimum_and_the_estimates_say_so():
    built = workload("linear[depth=1]")
    sizes: Any = built.architecture
    base = built.bases["trainable"]
    recipe = base.replace(learning_rate_schedules=(configure(cosine_decay, floor=0.0),))
    state, arrays = begin(built, recipe)
    loop = Loop(built.batch, 1000, 1000, ())
    step = jax.jit(drawing(sizes, loop))
    for chunk in numbers(recipe, 3e-3, 6000, loop)[:-1]:
        state, _ = step(state, KEY, chunk, arrays)
    assert state.diverged_at == -1

    dataset = built.data()
    x = dataset.test.astype(float)
    found = jax.jit(functools.partial(estimate, architecture=sizes, samples=1000, chunk=50))(
        state, jnp.asarray(True), Evaluation(KEY, recipe.traced(), arrays, jnp.asarray(dataset.test))
    )
    model = nnx.merge(structure(recipe.traced(), sizes), state.parameters, state.statistics)
    slope, offset = affine(lambda z: model.decode(z, [], ForwardPass(recipe)), sizes.latent)
    decoder = LinearGaussian(slope.T, offset, 0.6)
    posterior = model.encode(sizes.present(None, jnp.asarray(dataset.test), arrays.mean), ForwardPass(recipe))
    mean, log_var = (np.asarray(array, float) for array in posterior[:2])
    elbo = np.mean([decoder.elbo(x[i : i + 1], mean[i : i + 1], np.diag(np.exp(v)))[0] for i, v in enumerate(log_var)])
    exact = decoder.log_prob(x)
    best = maximum_likelihood(dataset.train.astype(float), sizes.latent, 0.6)
    # Measured: 0.0008 nats below its own likelihood, and 0.0015 below the likelihood of the likeliest model.
    assert 0 <= exact.mean() - elbo < 0.02
    assert abs(best.log_prob(x).mean() - elbo) < 0.02
    np.testing.assert_allclose(found.bound, exact.mean(), atol=0.002)
    np.testing.assert_allclose(found.standard_error, exact.std(ddof=1) / math.sqrt(len(x)), rtol=0.01)
    values = spectrum(dataset.train.astype(float))
    assert abs(values / 0.36 - 1).min() > 0.05
    assert found.active_units == active_dimensions(dataset.train.astype(float), 0.6) == 5
    # At the optimum the unit of eigenvalue lambda holds log(lambda / sigma^2) / 2 nats, in whatever order.
    expected = 0.5 * np.log(np.maximum(values[:8] / 0.36, 1))
    np.testing.assert_allclose(np.sort(found.kl_units), np.sort(expected), atol=0.1)
    assert found.mutual_information.nats < found.mutual_information.ceiling == pytest.approx(math.log(1024))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("linear[data=7]", "data must be at least 8, got 7"),
        ("linear[standard_deviation=0.0]", "standard_deviation must be above 0, got 0"),
        ("linear[standard_deviation=1.0]", "within 5 % of the data's eigenvalue 1.01"),
    ],
)
def test_what_makes_no_workload_is_said(text, said):
    with pytest.raises(InputError, match=said):
        workload(text)
