import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.layers import activations


def test_scaled_tanh_and_squared_relu_against_numpy():
    z = np.linspace(-4, 4, 101)
    np.testing.assert_allclose(activations.scaled_tanh(jnp.asarray(z)), 1.7159 * np.tanh(z / 1.5), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(activations.squared_relu(jnp.asarray(z)), np.where(z > 0, z * z, 0), rtol=1e-5)
    # What LeCun et al. choose the two numbers for.
    ones = activations.scaled_tanh(jnp.asarray([-1.0, 1.0]))
    np.testing.assert_allclose(ones, [-1, 1], rtol=1e-4)


def test_tailored_relu_reaches_its_correlation_through_the_real_depth():
    depth, width = 16, 512
    activation = activations.tailored(None, depth, correlation=0.9)
    draw = np.random.default_rng(0)
    cosines = []
    for _ in range(8):
        signals = np.sqrt(width) * np.linalg.qr(draw.normal(size=(width, 32)))[0].T
        for _ in range(2 * (depth + 1)):
            kernel = draw.normal(size=(width, width)) / np.sqrt(width)
            signals = np.asarray(activation(jnp.asarray(signals @ kernel, jnp.float32)))
        units_of = signals / np.linalg.norm(signals, axis=1, keepdims=True)
        cosines.append((units_of @ units_of.T)[~np.eye(32, dtype=bool)].mean())
    assert np.mean(cosines) == pytest.approx(0.9, abs=0.015)
    # The slope 0 is ReLU, whose map is the arc-cosine kernel of Cho & Saul.
    for before in (0.0, 0.3, 0.9):
        angle = np.arccos(before)
        expected = (np.sin(angle) + (np.pi - angle) * before) / np.pi
        assert activations.leaky_relu_cosine(before, 0.0) == pytest.approx(expected)
