import jax.numpy as jnp
import numpy as np
from scipy import special

from vae_jax.optimization.schedules import constant, cosine_decay, cyclical, linear_warmup, sigmoid_rise

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
