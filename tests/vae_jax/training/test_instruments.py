"""Every instrument against plain numpy in float64, and that watching changes nothing."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.vae_jax import reference
from tests.vae_jax.small_vae import (
    ARCHITECTURE,
    DATASET,
    LOOP,
    TANH,
    WATCHED,
    begin,
    compiled,
    data,
    double,
    first_step,
    numbers,
    run,
)
from vae_jax.models.batch import Batch
from vae_jax.models.contract import taps
from vae_jax.objective.loss import observed_paths, structure
from vae_jax.objective.multipliers import geco
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.instruments import Instrument, StepView, effective_rank, shared_gradient
from vae_jax.training.train import Loop, batches, present


def one_step(recipe):
    """The first step's parameters, minibatch and record."""
    state = begin(recipe)
    key = jax.random.key(0)
    order = batches(key, jnp.asarray(0), LOOP.batch, LOOP.chunk, 1257)
    batch, noise = present(key, jnp.asarray(0), data().train[order[0]], data(), ARCHITECTURE)
    _, readings = compiled(WATCHED)(state, key, numbers(recipe, 0.01, 10)[0], data())
    return state, np.asarray(batch.target, np.float64), np.asarray(noise, np.float64), readings


def test_a_step_agrees_with_plain_numpy_in_float64():
    state, x, noise, readings = one_step(TANH)
    expected = reference.step(double(state.parameters), x, x - DATASET.mean, noise)
    for name in ("score", "reconstruction", "kl_nats"):
        np.testing.assert_allclose(readings[name][0], expected[name], rtol=1e-4)
    for tower in ("encoder", "decoder"):
        rms = [np.sqrt(np.mean((LOOP.batch * g) ** 2)) for g in expected["hidden_gradient"][tower]]
        np.testing.assert_allclose(readings["hidden_gradient"][tower][0], rms, rtol=1e-4)
        rms = [np.sqrt(np.mean(g**2)) for g in expected["kernel_gradient"][tower]]
        np.testing.assert_allclose(readings["weight_gradient"][tower][0], rms, rtol=1e-4)
        # Plain SGD at 0.01: the update is the gradient times the rate.
        weights = [np.sqrt(np.mean(k**2)) for k in ARCHITECTURE.kernels(double(state.parameters))[tower]]
        np.testing.assert_allclose(readings["relative_update"][tower][0], 0.01 * np.divide(rms, weights), rtol=1e-4)
        hidden = expected["hidden"][tower]
        np.testing.assert_allclose(readings["mean_square"][tower][0], [np.mean(h**2) for h in hidden], rtol=1e-4)


def test_the_numpy_gradient_agrees_with_finite_differences():
    """The reference is checked too: neither it nor the step can be wrong alone."""
    state, x, noise, _ = one_step(TANH)
    parameters = double(state.parameters)
    gradient = reference.step(parameters, x, x - DATASET.mean, noise)["kernel_gradient"]
    draw = np.random.default_rng(1)
    for tower in ("encoder", "decoder"):
        for index, kernel in enumerate(ARCHITECTURE.kernels(parameters)[tower]):
            direction = draw.normal(size=kernel.shape)
            values = []
            for sign in (1, -1):
                kernel += sign * 1e-5 * direction
                values.append(reference.step(parameters, x, x - DATASET.mean, noise)["score"])
                kernel -= sign * 1e-5 * direction
            difference = (values[0] - values[1]) / 2e-5
            np.testing.assert_allclose(np.sum(gradient[tower][index] * direction), difference, rtol=1e-5)


def test_mean_cosine_is_the_mean_over_pairs():
    _, _, _, readings = one_step(TANH)
    state, x, noise, _ = one_step(TANH)
    hidden = reference.step(double(state.parameters), x, x - DATASET.mean, noise)["hidden"]["encoder"]
    for layer, h in enumerate(hidden):
        unit = h / np.linalg.norm(h, axis=1, keepdims=True)
        pairs = (unit @ unit.T)[~np.eye(len(h), dtype=bool)]
        np.testing.assert_allclose(readings["mean_cosine"]["encoder"][0][layer], pairs.mean(), atol=1e-5)


def test_the_paths_add_up_and_only_the_encoder_has_one_from_the_kl_term():
    state, x, noise, readings = one_step(TANH)
    parameters, traced = state.parameters, TANH.traced()
    x, noise = jnp.asarray(x, jnp.float32), jnp.asarray(noise, jnp.float32)
    whole = first_step(state.statistics, traced, Batch(x - data().mean[None], x), noise)
    observe = functools.partial(observed_paths, structure(traced, ARCHITECTURE), ARCHITECTURE, parameters)

    both = jax.jit(jax.jacrev(lambda taps: observe(taps, whole)[0]))(taps(ARCHITECTURE, LOOP.batch, jnp.float32))
    reconstruction, kl = (jax.tree.map(lambda leaf, path=path: leaf[path], both) for path in (0, 1))
    for tower in ("encoder", "decoder"):
        rms = [np.sqrt(np.mean((LOOP.batch * g) ** 2)) for g in double(reconstruction)[tower][0]]
        np.testing.assert_allclose(readings["reconstruction_gradient"][tower][0], rms, rtol=1e-4)
    rms = [np.sqrt(np.mean((LOOP.batch * g) ** 2)) for g in double(kl)["encoder"][0]]
    np.testing.assert_allclose(readings["kl_gradient"]["encoder"][0], rms, rtol=1e-4)
    assert list(readings["kl_gradient"]) == ["encoder"]
    assert not np.any(kl["decoder"][0])


def test_signal_to_noise_is_of_the_mean_over_microbatches():
    state, x, noise, readings = one_step(TANH)
    gradient = reference.step(double(state.parameters), x, x - DATASET.mean, noise)["hidden_gradient"]["decoder"]
    for layer, g in enumerate(gradient):
        means = g.reshape(8, LOOP.batch // 8, -1).mean(axis=1)
        error = np.sqrt(np.sum(means.var(axis=0, ddof=1)) / 8)
        expected = np.linalg.norm(means.mean(axis=0)) / error
        np.testing.assert_allclose(readings["gradient_to_noise"]["decoder"][0][layer], expected, rtol=1e-3)


def test_effective_rank_is_that_of_the_eigenvalues_and_of_the_cosines_of_deviations():
    state, x, noise, readings = one_step(TANH)
    last = reference.step(double(state.parameters), x, x - DATASET.mean, noise)["hidden"]["encoder"][-1]
    values = np.linalg.eigvalsh(np.cov(last, rowvar=False))
    np.testing.assert_allclose(readings["effective_rank"][0], values.sum() ** 2 / np.sum(values**2), rtol=1e-3)
    apart = last - last.mean(axis=0)
    lengths = np.linalg.norm(apart, axis=1)
    cosines = apart @ apart.T / np.outer(lengths, lengths)
    square = np.average(cosines**2, weights=np.outer(lengths, lengths) ** 2)
    np.testing.assert_allclose(1 / readings["effective_rank"][0], square, rtol=1e-3)


def reading(measured: Instrument, hidden=None, gradient=None) -> Any:
    """Of a view of one stack of one run of layers, in which nothing else is looked at."""
    view: dict[str, Any] = dict.fromkeys(StepView._fields)
    view |= {
        "reads_data": "encoder", "hidden": {"encoder": (hidden,)}, "hidden_gradient": {"encoder": (gradient,)},
        "counts": {"encoder": (None,)},
    }  # fmt: skip
    return measured.measure(StepView(**view))


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_effective_rank_of_as_many_directions_as_there_are(scale):
    """Of n directions of equal length n, of whatever size; of examples that are all alike none."""
    corners = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], np.float32)
    for directions in (1, 2, 3):
        h = scale * np.pad(corners[:, :directions], ((0, 0), (0, 20))).astype(np.float32)
        # A part that all have in common is no direction.
        read = reading(effective_rank, jnp.asarray(h[None] + np.float32(scale)))
        np.testing.assert_allclose(read, directions, rtol=1e-5)
    assert reading(effective_rank, jnp.ones((1, 8, 5))) == 0


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_the_shared_part_of_a_gradient(scale):
    draw = np.random.default_rng(0)
    alike, own = draw.normal(size=(1, 1, 40)), draw.normal(size=(1, 64, 40))
    for weight in (0.0, 0.3, 1.0):
        g = weight * alike + (1 - weight) * own
        read = reading(shared_gradient, gradient=jnp.asarray(scale * g, jnp.float32))["encoder"]
        np.testing.assert_allclose(read, np.sum(g.mean(axis=1) ** 2) / np.mean(np.sum(g**2, axis=2)), rtol=1e-4)
    # Independent examples share 1 / batch of it, all of it where all are the same.
    np.testing.assert_allclose(read, 1, rtol=1e-5)
    g = draw.normal(size=(1, 64, 4000))
    read = reading(shared_gradient, gradient=jnp.asarray(g, jnp.float32))["encoder"]
    np.testing.assert_allclose(read, 1 / 64, rtol=0.05)


def test_the_shared_part_of_a_step_agrees_with_plain_numpy():
    state, x, noise, readings = one_step(TANH)
    gradient = reference.step(double(state.parameters), x, x - DATASET.mean, noise)["hidden_gradient"]
    for tower in ("encoder", "decoder"):
        expected = [np.sum(g.mean(axis=0) ** 2) / np.mean(np.sum(g**2, axis=1)) for g in gradient[tower]]
        np.testing.assert_allclose(readings["shared_gradient"][tower][0], expected, rtol=1e-3)


def test_flat_dead_and_zero_are_counted():
    relu = Recipe().replace(activation=jax.nn.relu)
    state, x, _, readings = one_step(relu)
    slope = np.asarray(reference_relu_slopes(double(state.parameters)["encoder"], x - DATASET.mean))
    np.testing.assert_allclose(readings["saturated"]["encoder"][0], np.mean(slope == 0, axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(readings["dead"]["encoder"][0], np.mean(np.all(slope == 0, axis=1), axis=1), atol=1e-6)
    assert not np.any(readings["zero_gradients"]["encoder"][0])
    # Biases of -100 switch every unit off: nothing comes back from above.
    off = state._replace(parameters=jax.tree.map(lambda leaf: leaf - 100 * (leaf.ndim == 1), state.parameters))
    _, readings = compiled(WATCHED)(off, jax.random.key(0), numbers(relu, 0.01, 10)[0], data())
    layers, entries = ARCHITECTURE.depth, LOOP.batch * ARCHITECTURE.width
    np.testing.assert_array_equal(readings["zero_gradients"]["encoder"][0][:layers], entries)
    np.testing.assert_array_equal(readings["dead"]["encoder"][0], 1.0)


def reference_relu_slopes(tower, h):
    """phi' of every hidden layer of a ReLU tower, in plain numpy."""
    slopes = []
    for layer in (
        tower["input"]["dense"],
        *(tower["blocks"][index]["unit"]["dense"] for index in sorted(tower["blocks"])),
    ):
        z = h @ layer["kernel"] + layer["bias"]
        h = np.maximum(z, 0)
        slopes.append((z > 0).astype(float))
    return slopes


def test_an_instrument_of_another_shape_is_named():
    wrong = Instrument("wrong", "Hidden layers whole.", lambda view: {"encoder": view.hidden["encoder"][0]})
    with pytest.raises(ValueError, match=r"instrument .wrong. in .*, gave .*: return a number, or for each stack"):
        run(TANH, 0.05, 5, loop=Loop(LOOP.batch, LOOP.chunk, 5, (wrong,)))


@pytest.mark.parametrize(
    ("recipe", "rate"),
    [
        (TANH, 0.05),
        (
            TANH.replace(
                optimizer=optax.adam, kl_treatment=configure(geco, nats=20.0, decay=0.9, rate=0.01, largest=10.0)
            ),
            1e-3,
        ),
    ],
    ids=["plain", "with states of optimizer and treatment"],
)
def test_watching_changes_nothing(recipe, rate):
    blind = Loop(LOOP.batch, LOOP.chunk, LOOP.chunk, ())
    watched, unwatched = run(recipe, rate, 100, loop=WATCHED)[0], run(recipe, rate, 100, loop=blind)[0]
    jax.tree.map(np.testing.assert_array_equal, watched, unwatched)
    if recipe is not TANH:
        # The treatment's state is part of the loop.
        assert watched.treatment_state.log_multiplier > 0
