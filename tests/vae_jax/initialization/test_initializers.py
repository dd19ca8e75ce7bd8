import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.small_vae import KEY, H
from vae_jax.initialization import initializers
from vae_jax.layers import units
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe

ROLES = ("input", "hidden", "hidden", "head")


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (configure(initializers.normal, standard_deviation=0.01), 1e-4),
        (configure(initializers.variance_scaling, scale=2.0, mode="fan_in", distribution="truncated_normal"), 2 / 300),
        (configure(initializers.variance_scaling, scale=1.0, mode="fan_avg", distribution="uniform"), 1 / 250),
    ],
)
def test_initializers_have_their_variance(initializer, variance):
    kernel = np.asarray(initializer(KEY, (300, 200), jnp.float32, "hidden"))
    np.testing.assert_allclose(kernel.var(), variance, rtol=0.02)
    assert abs(kernel.mean()) < 5 * np.sqrt(variance / kernel.size)


def test_orthogonal_kernels_have_equal_singular_values():
    kernel = np.asarray(initializers.orthogonal(KEY, (64, 64), jnp.float32, "hidden", scale=0.9))
    np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False), 0.9, rtol=1e-5)


def test_looks_linear_weights_make_a_drawn_stack_of_concatenated_relus_linear():
    recipe = Recipe(activation=jax.nn.relu).replace(unit=units.ConcatenatedUnit, kernel_init=initializers.looks_linear)
    stack = [units.ConcatenatedUnit(16, 16, recipe, jax.random.key(i), role=r) for i, r in enumerate(ROLES)]

    def through(h):
        for unit in stack[:-1]:
            h = unit(h, ForwardPass(recipe))
        return stack[-1].dense(h, ForwardPass(recipe))

    np.testing.assert_allclose(through(-H), -through(H), rtol=1e-3, atol=1e-5)
    jacobian = np.asarray(jax.jacobian(lambda h: through(h[None])[0])(H[0]), np.float64)
    np.testing.assert_allclose(np.linalg.svd(jacobian, compute_uv=False), 1.0, rtol=1e-4)


def test_sparse_and_identity_initializers():
    kernel = np.asarray(initializers.sparse(KEY, (64, 200), jnp.float32, "hidden", connections=15))
    assert set((kernel != 0).sum(axis=0)) == {15}
    assert kernel[kernel != 0].var() == pytest.approx(1 / 15, rel=0.1)
    assert (kernel != 0).mean(axis=1).std() < 0.1
    square = initializers.identity(KEY, (8, 8), jnp.float32, "hidden", scale=0.5)
    np.testing.assert_array_equal(square, np.eye(8) / 2)
    ends = np.asarray(initializers.identity(KEY, (8, 8), jnp.float32, "head", scale=0.5))
    assert not np.array_equal(ends, square)
    np.testing.assert_allclose(np.linalg.svd(ends, compute_uv=False), 0.5, rtol=1e-5)


def test_what_goes_with_an_activation_is_drawn_for_it_in_hidden_layers_and_plainly_at_heads():
    def drawn(initializer, role, **numbers):
        return np.asarray(initializer(KEY, (200, 200), jnp.float32, role, **numbers), np.float64)

    for role, scale in (("input", 3.0), ("hidden", 3.0), ("head", 1.0)):
        gaussian = drawn(initializers.gaussian_for_activation, role, scale=3.0)
        assert gaussian.var() * 200 == pytest.approx(scale, rel=0.03)
        matrix = drawn(initializers.orthogonal_for_activation, role, scale=3.0)
        np.testing.assert_allclose(matrix.T @ matrix, scale**2 * np.eye(200), atol=1e-4)
    for role, deviation in (("input", 0.1), ("hidden", 0.1), ("head", 0.0)):
        normal = drawn(initializers.hidden_normal, role, standard_deviation=0.1)
        assert normal.std() == pytest.approx(deviation, rel=0.03)
