import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import special

from vae_jax.optimization.schedules import (
    constant,
    cosine_decay,
    cyclical,
    exponential_decay,
    inverse_square_root,
    linear_decay,
    linear_warmup,
    one_cycle,
    sigmoid_rise,
    step_decay,
    triangular,
    warm_restarts,
    warmup_stable_decay,
)

STEPS = 1000
STEP = jnp.arange(STEPS)


def test_constant():
    np.testing.assert_array_equal(constant(STEP, STEPS, value=0.25), 0.25)


def test_linear_warmup_reaches_one_after_its_share_and_wastes_no_step():
    factor = np.asarray(linear_warmup(STEP, STEPS, fraction=0.2))
    assert factor[0] == np.float32(1 / 200)
    assert factor[198] < 1 == factor[199]
    np.testing.assert_allclose(np.diff(factor[:200]), 1 / 200, rtol=1e-4)
    assert (factor[199:] == 1).all()
    # A warm-up shorter than a step is none.
    np.testing.assert_array_equal(linear_warmup(jnp.arange(3), 3, fraction=0.1), 1.0)


def test_sigmoid_rise_is_a_logistic_curve():
    found = np.asarray(sigmoid_rise(STEP, STEPS, middle=0.2, steepness=30.0))
    np.testing.assert_allclose(found, special.expit(30 * (np.arange(STEPS) / STEPS - 0.2)), rtol=1e-5)
    assert found[200] == 0.5
    np.testing.assert_allclose(found[[0, 300]], [0.0025, 0.95], rtol=0.02)


def test_cosine_decay_is_half_a_cosine():
    expected = 0.1 + 0.9 * (1 + np.cos(np.pi * np.arange(STEPS) / STEPS)) / 2
    np.testing.assert_allclose(cosine_decay(STEP, STEPS, floor=0.1), expected, rtol=1e-4)


def test_cyclical_has_its_ramps_and_ends_at_one():
    weight = np.asarray(cyclical(STEP, STEPS, cycles=4, ramp=0.5))
    starts = np.flatnonzero(weight == 0)
    np.testing.assert_array_equal(starts, [0, 250, 500, 750])
    for start in starts:
        np.testing.assert_allclose(weight[start : start + 125], np.arange(125) / 125, atol=1e-4)
        assert (weight[start + 125 : start + 250] == 1).all()


def test_exponential_decay_takes_the_same_share_at_every_step():
    factor = np.asarray(exponential_decay(STEP, STEPS, final=0.01), np.float64)
    np.testing.assert_allclose(factor, np.exp(np.log(0.01) * np.arange(STEPS) / STEPS), rtol=1e-5)


def test_linear_decay_is_a_line():
    np.testing.assert_allclose(linear_decay(STEP, STEPS, floor=0.2), 1 - 0.8 * np.arange(STEPS) / STEPS, rtol=1e-5)


def test_step_decay_drops_at_each_third():
    factor = np.asarray(step_decay(STEP, STEPS, factor=0.1, stages=3))
    np.testing.assert_array_equal(np.flatnonzero(np.diff(factor)) + 1, [334, 667])
    np.testing.assert_allclose(np.unique(factor), [0.01, 0.1, 1], rtol=1e-5)


def test_warm_restarts_are_cosines_of_growing_length():
    factor = np.asarray(warm_restarts(jnp.arange(700), 700, cycles=3, growth=2))
    cycles = [(1 + np.cos(np.pi * np.arange(length) / length)) / 2 for length in (100, 200, 400)]
    np.testing.assert_allclose(factor, np.concatenate(cycles), atol=1e-4)
    np.testing.assert_array_equal(np.flatnonzero(factor > 1 - 1e-6), [0, 100, 300])
    equal = np.asarray(warm_restarts(jnp.arange(700), 700, cycles=7, growth=1))
    np.testing.assert_array_equal(np.flatnonzero(equal > 1 - 1e-6), np.arange(7) * 100)


def test_one_cycle_is_the_librarys():
    found = one_cycle(STEP, STEPS, rise=0.3, start=0.04, final=4e-6)
    library = optax.cosine_onecycle_schedule(STEPS, 1.0, pct_start=0.3, div_factor=25, final_div_factor=1e4)
    with jax.numpy_dtype_promotion("standard"):
        np.testing.assert_allclose(found, jax.vmap(library)(STEP.astype(float)), atol=1e-5)


def test_inverse_square_root_peaks_after_its_warmup():
    factor = np.asarray(inverse_square_root(STEP, STEPS, fraction=0.04), np.float64)
    count = np.arange(1, STEPS + 1)
    # The paper's own line, over its value at the peak.
    np.testing.assert_allclose(factor, np.minimum(count**-0.5, count * 40**-1.5) * 40**0.5, rtol=1e-5)
    assert factor.argmax() == 39


def test_triangles_go_up_and_down():
    factor = np.asarray(triangular(STEP, STEPS, cycles=4, floor=0.25))
    corners = np.interp(np.arange(STEPS), np.arange(9) * 125, [0.25, 1] * 4 + [0.25])
    np.testing.assert_allclose(factor, corners, atol=1e-5)


def test_warmup_stable_decay_has_its_three_parts():
    factor = np.asarray(warmup_stable_decay(STEP, STEPS, warmup=0.05, decay=0.2))
    np.testing.assert_allclose(factor[:50], np.arange(1, 51) / 50, rtol=1e-5)
    np.testing.assert_array_equal(factor[50:800], 1)
    np.testing.assert_allclose(factor[800:], np.arange(200, 0, -1) / 200, rtol=1e-5)
    assert warmup_stable_decay(STEP, STEPS, warmup=0.0, decay=0.2)[0] == 1
