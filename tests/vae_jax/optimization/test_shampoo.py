import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.optimization.tree import once, take, tree
from vae_jax.optimization.shampoo import inverse_root, shampoo


def power(matrix, exponent):
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(values**exponent) @ vectors.T


def test_shampoo_is_the_papers_slow_loop_as_long_as_adagrads():
    parameters, gradients = tree(0), [tree(seed) for seed in range(1, 6)]
    after, _ = take(shampoo(jnp.asarray(0.1), eps=0.01, interval=1), parameters, gradients)
    for path in (("input", "kernel"), ("head", "kernel"), ("head", "bias")):
        weight, *slopes = [
            np.asarray(each["encoder"][path[0]][path[1]], np.float64) for each in (parameters, *gradients)
        ]
        left = 0.01 * np.eye(weight.shape[0])
        right = 0.01 * np.eye(weight.shape[-1])
        squares = np.zeros_like(weight)
        for slope in slopes:
            squares += slope**2
            step = slope / np.sqrt(squares)
            if weight.ndim > 1:
                left, right = left + slope @ slope.T, right + slope.T @ slope
                direction = power(left, -1 / 4) @ slope @ power(right, -1 / 4)
                step = direction * np.linalg.norm(step) / np.linalg.norm(direction)
            weight = weight - 0.1 * step
        np.testing.assert_allclose(after[-1]["encoder"][path[0]][path[1]], weight, rtol=1e-2, atol=1e-3)


def test_a_direction_that_the_kept_roots_have_not_seen_does_not_run_away():
    first, later = (jnp.zeros((4, 4)).at[at, at].set(1.0) for at in (0, 3))
    (_, *after), _ = take(
        shampoo(jnp.asarray(0.1), eps=1e-12, interval=10),
        {"kernel": jnp.zeros((4, 4))},
        [{"kernel": first}] * 2 + [{"kernel": later}],
    )
    before, last = (np.asarray(each["kernel"]) for each in after)
    # AdaGrad's length for an entry that is seen once is the rate.
    np.testing.assert_allclose(np.linalg.norm(last - before), 0.1, rtol=1e-4)


@pytest.mark.parametrize("power_", [2, 4])
@pytest.mark.parametrize(
    ("size", "rank", "eps"), [(5, 3, 1e-2), (5, 3, 1e-3), (64, 8, 1e-2), (64, 200, 1e-4), (1, 1, 0.1)]
)
def test_an_inverse_root_is_that_of_the_eigenvalues(size, rank, eps, power_):
    slope = np.random.default_rng(0).normal(size=(size, rank))
    matrix = slope @ slope.T + eps * np.eye(size)
    ridge = 1e-6 * np.linalg.norm(matrix) * np.eye(size)
    expected = power(matrix + ridge, -1 / power_)
    found = inverse_root(jnp.asarray(matrix, jnp.float32), power_)
    np.testing.assert_allclose(found, expected, atol=5e-3 * np.abs(expected).max())


def test_roots_are_kept_between_the_steps_that_take_them():
    parameters, gradients = tree(0), [tree(seed) for seed in range(1, 5)]
    states = [
        take(shampoo(jnp.asarray(0.1), eps=0.01, interval=3), parameters, gradients[:count])[1][0].roots
        for count in (1, 3, 4)
    ]
    jax.tree.map(np.testing.assert_array_equal, states[0], states[1])
    assert not np.array_equal(jax.tree.leaves(states[1])[0], jax.tree.leaves(states[2])[0])


def test_a_scalar_and_a_dead_layer_are_safe():
    parameters = {"alpha": jnp.asarray(0.5), "kernel": jnp.ones((3, 2))}
    gradient = {"alpha": jnp.asarray(2.0), "kernel": jnp.zeros((3, 2))}
    (after,), _ = take(shampoo(jnp.asarray(0.1), eps=1e-8, interval=1), parameters, [gradient])
    np.testing.assert_allclose(after["alpha"], 0.4, rtol=1e-4)
    np.testing.assert_array_equal(after["kernel"], 1)


def test_weak_directions_are_lifted_down_to_the_root_of_eps():
    """One step on two directions of which one is a hundredth of the other, and on next to none."""
    kernel = np.diag([1.0, 0.01]).astype(np.float32)
    for size, ratio in ((1.0, 1.0), (1e-9, 0.01)):
        step = once(shampoo(jnp.asarray(0.1), eps=1e-12, interval=1), {"kernel": jnp.asarray(size * kernel)})["kernel"]
        assert step[1, 1] / step[0, 0] == pytest.approx(ratio, rel=0.02)


def test_the_least_eps_is_still_a_number():
    step = once(shampoo(jnp.asarray(0.1), eps=jnp.asarray(1e-18), interval=1), {"kernel": jnp.zeros((1, 1))})["kernel"]
    np.testing.assert_array_equal(step, 0)
