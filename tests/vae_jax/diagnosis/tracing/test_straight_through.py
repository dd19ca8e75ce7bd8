import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.diagnosis.tracing.straight_through import straight_through


def half(x):
    return 0.5 * x


@pytest.mark.parametrize("gate", [True, False])
def test_values_stay_to_the_last_bit_and_the_gradient_passes_unchanged_where_the_gate_is_true(gate):
    x = jax.random.normal(jax.random.key(0), (4, 3))

    def gated(x):
        return straight_through(jnp.asarray(gate), x, half(x))

    np.testing.assert_array_equal(gated(x), half(x))
    np.testing.assert_array_equal(jax.grad(lambda x: gated(x).sum())(x), jnp.full((4, 3), 1.0 if gate else 0.5))


@pytest.mark.parametrize("width", [2, 5])
def test_an_identity_between_other_sizes_is_cut_or_padded_with_zeros(width):
    x, kernel = (jax.random.normal(jax.random.key(n), shape) for n, shape in enumerate([(4, 3), (3, width)]))
    weights = jnp.arange(1.0, width + 1)

    def gated(x):
        return straight_through(jnp.asarray(True), x, x @ kernel)

    np.testing.assert_array_equal(gated(x), x @ kernel)
    pulled = jax.grad(lambda x: (gated(x) @ weights).sum())(x)
    expected = np.zeros(3)
    expected[:width] = np.arange(1.0, width + 1)[:3]
    np.testing.assert_array_equal(pulled, np.tile(expected, (4, 1)))
