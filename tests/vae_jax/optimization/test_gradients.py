import jax
import jax.numpy as jnp
import numpy as np

from vae_jax.optimization.gradients import gradient_evaluations, plain_gradient, sharpness_aware
from vae_jax.recipe.configured import configure


def quartic(w):
    return jnp.sum(w**4), jnp.sum(w)


DIFFERENTIATE = jax.value_and_grad(quartic, has_aux=True)


def test_the_sharpness_aware_gradient_is_that_of_the_ascended_point():
    w = jnp.asarray([1.0, -2.0, 0.5])
    (value, aux), gradient = sharpness_aware(DIFFERENTIATE, w, radius=0.05)
    slope = 4 * np.asarray(w, np.float64) ** 3
    above = np.asarray(w) + 0.05 * slope / np.linalg.norm(slope)
    np.testing.assert_allclose(gradient, 4 * above**3, rtol=1e-5)
    # The loss that is told is where the parameters are.
    np.testing.assert_allclose([value, aux], [np.sum(np.asarray(w) ** 4), -0.5], rtol=1e-6)


def test_where_nothing_ascends_the_gradient_is_zero_and_not_nan():
    np.testing.assert_array_equal(sharpness_aware(DIFFERENTIATE, jnp.zeros(3), radius=0.05)[1], 0)


def test_gradients_are_counted():
    assert gradient_evaluations(plain_gradient) == 1
    assert gradient_evaluations(configure(sharpness_aware, radius=0.05)) == 2
