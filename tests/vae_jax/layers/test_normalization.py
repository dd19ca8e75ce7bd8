import jax.numpy as jnp
import numpy as np

from tests.vae_jax.small_vae import H
from vae_jax.layers import normalization


def test_normalizations_against_numpy():
    h = np.asarray(H, np.float64) * 3 + 5
    per_unit = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)
    per_example = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-6)
    scaled = h / np.sqrt((h**2).mean(1, keepdims=True) + 1e-6)
    batch_norm = normalization.batch_norm(16)
    batch_norm.train()
    h32 = jnp.asarray(h, jnp.float32)
    np.testing.assert_allclose(batch_norm(h32), per_unit, atol=1e-4)
    np.testing.assert_allclose(batch_norm.mean[...], h.mean(0), rtol=1e-5)
    np.testing.assert_allclose(normalization.layer_norm(16)(h32), per_example, atol=1e-4)
    np.testing.assert_allclose(normalization.rms_norm(16)(h32), scaled, atol=1e-4)
    np.testing.assert_array_equal(normalization.no_normalization(16)(h32), h32)


def test_other_normalizations_against_numpy():
    h = np.asarray(H, np.float64) * 3 + 5
    h32 = jnp.asarray(h, jnp.float32)
    groups = h.reshape(32, 4, 4)
    by_group = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + 1e-5)
    np.testing.assert_allclose(normalization.group_norm(16, units=4)(h32), by_group.reshape(32, 16), atol=1e-4)
    # Five groups of 3 do not make 16; four of 4 do.
    np.testing.assert_allclose(normalization.group_norm(16, units=3)(h32), by_group.reshape(32, 16), atol=1e-4)
    lengths = np.linalg.norm(normalization.ScaleNorm(16)(h32), axis=1)
    np.testing.assert_allclose(lengths, 4.0, rtol=1e-5)
    squashed = normalization.DynamicTanh(16, alpha=0.5)(h32)
    np.testing.assert_allclose(squashed, np.tanh(0.5 * h), atol=1e-5)
