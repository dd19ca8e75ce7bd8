"""The neural tangent kernel's condition against a plain Jacobian, row by row in float64, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.evaluation.tangent_kernel import tangent_condition

KEY = jax.random.key(3)


def network(parameters, inputs):
    hidden = jnp.tanh(inputs @ parameters["first"] + parameters["bias"][None])
    return (hidden @ parameters["last"]).reshape(len(inputs), 2, 3)


def drawn(seed=0, units=20):
    draw = np.random.default_rng(seed)
    shapes = {"first": (5, units), "bias": (units,), "last": (units, 6)}
    return {name: draw.normal(size=shape) for name, shape in shapes.items()}, draw.normal(size=(8, 5))


def test_it_is_that_of_finite_differences_in_float64():
    parameters, inputs = drawn()
    direction = np.asarray(jax.random.normal(KEY, (2, 3)), np.float64).ravel()

    def projected(values):
        first, bias, last = values[:100].reshape(5, 20), values[100:120], values[120:].reshape(20, 6)
        return np.tanh(inputs @ first + bias) @ last @ direction

    values = np.concatenate([parameters[name].ravel() for name in ("first", "bias", "last")])
    steps = 1e-6 * np.eye(len(values))
    jacobian = np.stack([(projected(values + step) - projected(values - step)) / 2e-6 for step in steps], axis=1)
    expected = np.log10(np.linalg.cond(jacobian @ jacobian.T))
    single = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), parameters)
    found = jax.jit(lambda p: tangent_condition(lambda p: network(p, jnp.asarray(inputs, jnp.float32)), p, KEY))(single)
    assert float(found) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("scale", [1.0, 1e-15])
def test_of_a_linear_model_it_is_that_of_the_inputs(scale):
    """f = w x: the kernel is the Gram matrix of the inputs, whatever their size."""
    inputs = jnp.asarray(scale * np.diag([1.0, 0.1, 0.01]), jnp.float32)
    found = tangent_condition(lambda w: (inputs @ w)[:, None], jnp.ones(3), KEY)
    assert float(found) == pytest.approx(4, abs=1e-4)


def test_of_two_examples_that_are_alike_it_is_the_most_that_can_be_told():
    inputs = jnp.ones((4, 3))
    assert float(tangent_condition(lambda w: (inputs @ w)[:, None], jnp.ones(3), KEY)) == pytest.approx(7, abs=1e-3)
