"""The treatments of the KL term, each against its closed form or a plain loop."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.vae_jax.small_vae import ARCHITECTURE, LOOP, begin, data, drawing, numbers, run
from vae_jax.objective.discrepancy import maximum_mean_discrepancy, mmd
from vae_jax.objective.multipliers import geco, minimum_desired_rate, soft_free_bits
from vae_jax.objective.rates import capacity, free_bits
from vae_jax.objective.treatment import ObjectiveView, weighted_kl
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe

KL_UNITS = jnp.array([[0.0, 1.0], [0.2, 3.0]])
TRAINED = Recipe().replace(activation=jnp.tanh)


def view(kl_units=KL_UNITS, reconstruction=25.0, weight=1.0, progress=0.0, z=None):
    z = jax.random.normal(jax.random.key(1), kl_units.shape) if z is None else z
    return ObjectiveView(
        jnp.asarray(reconstruction), kl_units, z, jnp.asarray(weight), jax.random.key(2), jnp.asarray(progress)
    )


def kl_path(treatment, **seen):
    """The KL term's path in a first step, and its gradient with respect to the divergences."""

    def path(kl_units):
        return treatment.apply(treatment.init(), view(kl_units, **seen))[0][1]

    return jax.value_and_grad(path)(KL_UNITS)


def slow_loop(treatment, readings):
    """The weight of each path's gradient in every step: of the reconstruction, and of the KL term."""
    state, weights = treatment.init(), []
    for reconstruction, kl in readings:

        def paths(both, state=state):
            seen = view(jnp.full((4, 2), both[1] / 2), both[0])
            paths, state = treatment.apply(state, seen)
            return jnp.sum(jnp.stack(paths)), state

        (_, state), gradient = jax.value_and_grad(paths, has_aux=True)((jnp.asarray(reconstruction), jnp.asarray(kl)))
        weights.append([float(each) for each in gradient])
    return np.array(weights)


def test_the_default_is_the_plain_bound_weighted():
    value, gradient = kl_path(weighted_kl(), weight=0.3)
    np.testing.assert_allclose(value, 0.3 * 2.1, rtol=1e-6)
    np.testing.assert_allclose(gradient, 0.15, rtol=1e-6)


def test_free_bits_takes_the_maximum_over_the_batchs_mean():
    np.testing.assert_allclose(kl_path(free_bits(nats=0.5))[0], 0.5 + 2.0, rtol=1e-6)


def test_free_bits_gradient_is_exactly_zero_below_the_allowance():
    np.testing.assert_array_equal(kl_path(free_bits(nats=0.5))[1], [[0.0, 0.5], [0.0, 0.5]])


@pytest.mark.parametrize("treatment", [free_bits(nats=0.0), capacity(nats=0.0, pressure=1.0, share=0.5)])
@pytest.mark.parametrize("progress", [0.0, 0.7])
def test_without_an_allowance_they_are_the_plain_bound(treatment, progress):
    for found, expected in zip(kl_path(treatment, progress=progress), kl_path(weighted_kl()), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_capacity_is_a_distance_from_a_rising_line():
    kl = 2.1
    for progress in (0.0, 0.1, 0.25, 0.5, 0.9):
        value, gradient = kl_path(capacity(nats=5.0, pressure=10.0, share=0.5), progress=progress)
        allowed = 5.0 * min(progress / 0.5, 1)
        np.testing.assert_allclose(value, 10 * abs(kl - allowed), rtol=1e-5)
        np.testing.assert_allclose(gradient, 10 * np.sign(kl - allowed) / 2, rtol=1e-6)


def test_geco_is_its_published_loop():
    readings = np.random.default_rng(0).uniform([15, 0], [30, 8], (50, 2)).astype(np.float32)
    decay, rate, largest = 0.9, 0.05, 2.0
    multiplier, average, expected = 1.0, None, []
    for reconstruction, _ in readings:
        expected.append([multiplier, 1.0])
        constraint = float(reconstruction) - 20
        average = constraint if average is None else decay * average + (1 - decay) * constraint
        multiplier = min(max(multiplier * np.exp(rate * average), 1 / largest), largest)
    found = slow_loop(geco(nats=20.0, decay=decay, rate=rate, largest=largest), readings)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert max(found[:, 0]) > 1.5


def test_geco_weighs_the_constraints_average_and_not_the_minibatchs():
    treatment = geco(nats=20.0, decay=0.9, rate=0.05, largest=10.0)
    _, state = treatment.apply(treatment.init(), view(reconstruction=26.0))
    (path, _), _ = treatment.apply(state, view(reconstruction=16.0))
    np.testing.assert_allclose(path, np.exp(0.05 * 6) * (0.9 * 6 + 0.1 * -4), rtol=1e-5)


def test_the_desired_rates_multiplier_climbs_while_nats_are_missing():
    readings = np.array([[25.0, kl] for kl in (0.0, 1.0, 4.0, 5.0, 8.0, 9.0, 9.0, 20.0, 2.0)], np.float32)
    multiplier, expected = 0.0, []
    for _, kl in readings:
        expected.append([1.0, 1 - multiplier])
        multiplier = max(0.0, multiplier + 0.1 * (5 - float(kl)))
    found = slow_loop(minimum_desired_rate(nats=5.0, rate=0.1), readings)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    # Nothing is missing at first: the plain bound, until something is.
    np.testing.assert_array_equal(slow_loop(minimum_desired_rate(nats=0.0, rate=0.1), readings), 1.0)


def test_the_soft_weight_sinks_below_its_nats_and_rises_above_its_tolerance():
    kls = [2.0, 2.0, 4.9, 5.1, 5.2, 6.0, 6.0, 6.0, 6.0, 6.0]
    found = slow_loop(soft_free_bits(nats=5.0, tolerance=0.05, factor=2.0), [[25.0, kl] for kl in kls])
    np.testing.assert_allclose(found[:, 1], [1, 1 / 2, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 4, 1 / 2, 1, 1], rtol=1e-5)
    np.testing.assert_array_equal(found[:, 0], 1.0)


def test_the_discrepancy_is_a_mean_over_pairs():
    draw = np.random.default_rng(1)
    first, second = draw.normal(size=(7, 3)), draw.normal(1.0, 2.0, size=(5, 3))

    def similarity(a, b):
        return np.mean([np.exp(-np.sum((x - y) ** 2) / (2 * 3)) for x in a for y in b])

    expected = similarity(first, first) + similarity(second, second) - 2 * similarity(first, second)
    found = maximum_mean_discrepancy(jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_discrepancy_of_equal_samples_is_zero_and_of_the_prior_small():
    codes = jax.random.normal(jax.random.key(0), (500, 4))
    assert abs(maximum_mean_discrepancy(codes, codes[::-1])) < 1e-6
    prior = jax.random.normal(jax.random.key(1), (500, 4))
    collapsed = jnp.zeros((500, 4))
    # In closed form for a point at 0: 1 + 3^(-d/2) - 2 2^(-d/2) at d units and width d, with 1 + 2/d and 1 + 1/d.
    expected = 1 + (1 + 2 / 4) ** -2 - 2 * (1 + 1 / 4) ** -2
    np.testing.assert_allclose(maximum_mean_discrepancy(collapsed, prior), expected, atol=0.02)
    assert maximum_mean_discrepancy(codes, prior) < 0.01


def test_mmd_is_the_plain_bound_at_zero_strength_and_drops_the_kl_term_at_one():
    for found, expected in zip(kl_path(mmd(alpha=0.0, scale=1.0)), kl_path(weighted_kl()), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    value, gradient = kl_path(mmd(alpha=1.0, scale=10.0))
    np.testing.assert_array_equal(gradient, 0.0)
    assert value > 0


def trained(treatment, steps=400, rate=0.01):
    """The last reconstruction and KL of a short training on digits, averaged over its last records."""
    recipe = TRAINED.replace(optimizer=optax.adam, kl_treatment=treatment)
    state, readings = run(recipe, rate, steps)
    assert state.diverged_at == -1
    last = readings[-6:-1]
    return state, *(float(np.mean([r[name] for r in last])) for name in ("reconstruction", "kl_nats"))


@functools.cache
def plainly_trained():
    return trained(weighted_kl)


def test_gecos_constraint_is_met_at_the_end_of_a_training():
    _, plain_reconstruction, plain_kl = plainly_trained()
    state, reconstruction, kl = trained(configure(geco, nats=22.0, decay=0.9, rate=0.01, largest=100.0))
    assert reconstruction < 22.0 < plain_reconstruction
    assert kl > plain_kl
    assert state.treatment_state.average < 0 < state.treatment_state.log_multiplier


def test_geco_finds_the_least_kl_that_meets_the_constraint():
    # reconstruction = 30 - w and KL = w^2 / 2: at most 22 nats ask for w = 8, where the multiplier is dKL/dw = 8.
    treatment = geco(nats=22.0, decay=0.9, rate=0.01, largest=100.0)

    def step(carry, _):
        w, state = carry

        def loss(w):
            paths, after = treatment.apply(state, view(jnp.full((1, 1), w**2 / 2), 30 - w))
            return jnp.sum(jnp.stack(paths)), after

        gradient, after = jax.grad(loss, has_aux=True)(w)
        return (w - 0.1 * gradient, after), None

    (w, state), _ = jax.lax.scan(step, (jnp.zeros(()), treatment.init()), length=3000)
    np.testing.assert_allclose([w, jnp.exp(state.log_multiplier)], 8.0, rtol=1e-3)


def test_desired_rates_are_reached_at_the_end_of_a_training():
    _, _, plain_kl = plainly_trained()
    for treatment in (
        configure(minimum_desired_rate, nats=4.0, rate=0.005),
        configure(soft_free_bits, nats=4.0, tolerance=0.05, factor=1.05),
        configure(capacity, nats=4.0, pressure=10.0, share=0.5),
    ):
        _, _, kl = trained(treatment)
        assert plain_kl < 3.0 < kl < 5.0


def test_a_state_differs_between_lanes():
    from bench.training.arm_trainer import NUMBERS_AXES, STATE_AXES

    recipe = TRAINED.replace(kl_treatment=configure(geco, nats=20.0, decay=0.9, rate=0.01, largest=10.0))
    state, chunk = begin(recipe), numbers(recipe, 0.01, 10)[0]
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf] * 2), state)._replace(step=state.step)
    lanes = chunk._replace(learning_rates=jnp.stack([chunk.learning_rates] * 2))
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1)])
    single = drawing(ARCHITECTURE, LOOP)
    mapped = jax.vmap(single, (STATE_AXES, 0, NUMBERS_AXES, None), (STATE_AXES, 0))
    after, _ = jax.eval_shape(mapped, stacked, keys, lanes, data())
    assert after.treatment_state.log_multiplier.shape == (2,)
