from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.vae_jax.optimization.tree import close, once, take, tree
from vae_jax.optimization.wrappers import (
    accumulate,
    bound_norms,
    decay_weights,
    grow_batch,
    lookahead,
    reduce_on_plateau,
    skip_non_finite,
    slow_scalars,
    slow_weights,
)

RATE, STEPS = jnp.asarray(0.1), jnp.asarray(100)
PARAMETERS = tree(0)
GRADIENTS = [tree(seed) for seed in range(1, 13)]


def wrapped(wrapper, optimizer=None, steps=STEPS, **numbers):
    return wrapper(optax.adam(RATE) if optimizer is None else optimizer, RATE, steps, **numbers)


def mean(gradients):
    return jax.tree.map(lambda *leaves: jnp.mean(jnp.stack(leaves), axis=0), *gradients)


def test_accumulation_is_a_step_on_the_mean_gradient():
    after, _ = take(wrapped(accumulate, every=4), PARAMETERS, GRADIENTS)
    expected, _ = take(optax.adam(RATE), PARAMETERS, [mean(GRADIENTS[i : i + 4]) for i in (0, 4, 8)])
    for index in range(3):
        close(after[4 * index + 3], expected[index], atol=1e-6)
        close(after[4 * index + 2], expected[index - 1] if index else PARAMETERS, atol=1e-6)


def test_a_growing_batch_steps_on_ever_larger_means_and_sees_each_minibatch_once():
    twelve = jnp.asarray(12)
    after, _ = take(wrapped(grow_batch, steps=twelve, factor=2, stages=3), PARAMETERS, GRADIENTS)
    groups = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 6), (6, 8), (8, 12)]
    expected, _ = take(optax.adam(RATE), PARAMETERS, [mean(GRADIENTS[first:last]) for first, last in groups])
    for (_, last), parameters in zip(groups, expected, strict=True):
        close(after[last - 1], parameters, atol=1e-6)


def test_a_step_that_is_not_finite_is_left_out():
    broken = [GRADIENTS[0], jax.tree.map(lambda leaf: leaf * jnp.nan, GRADIENTS[1]), *GRADIENTS[2:]]
    after, _ = take(wrapped(skip_non_finite, in_a_row=5), PARAMETERS, broken)
    expected, _ = take(optax.adam(RATE), PARAMETERS, [GRADIENTS[0], *GRADIENTS[2:]])
    close(after[1], after[0], rtol=0, atol=0)
    close(after[-1], expected[-1], atol=1e-6)


@pytest.mark.parametrize("rests", [0, 7])
def test_a_plateau_shrinks_the_updates_after_its_patience(rests):
    # Hundredths of 200 steps: two losses to a look.
    wrapper = wrapped(reduce_on_plateau, optax.sgd(RATE), jnp.asarray(200), divisor=10, patience=3)
    gradient = {"kernel": jnp.ones((2, 2))}
    with jax.numpy_dtype_promotion("standard"):
        update, state, sizes = jax.jit(wrapper.update), wrapper.init(gradient), []
        for step in range(20):
            value = jnp.asarray(10.0 - min(step, rests))
            updates, state = update(gradient, state, gradient, value=value)
            sizes.append(float(-updates["kernel"][0, 0]))
    # The last look that is better than all before it, then three that are not.
    best = -(-rests // 2)
    first = 2 * (best + 1 + 3) - 1
    np.testing.assert_allclose(sizes[:first], 0.1, rtol=1e-6)
    np.testing.assert_allclose(sizes[first], 0.01, rtol=1e-6)


def test_decoupled_decay_shrinks_starved_kernels_at_a_known_rate():
    nothing = jax.tree.map(jnp.zeros_like, PARAMETERS)
    after, _ = take(wrapped(decay_weights, strength=0.5), PARAMETERS, [nothing] * 3)
    kernel = PARAMETERS["encoder"]["input"]["kernel"]
    np.testing.assert_allclose(after[-1]["encoder"]["input"]["kernel"], kernel * 0.95**3, rtol=1e-5)
    np.testing.assert_array_equal(after[-1]["encoder"]["head"]["bias"], PARAMETERS["encoder"]["head"]["bias"])


def test_no_units_weights_leave_the_ball():
    after, _ = take(wrapped(bound_norms, max_norm=2.0), PARAMETERS, GRADIENTS[:2])
    free, _ = take(optax.adam(RATE), PARAMETERS, GRADIENTS[:1])
    for name in ("input", "head"):
        norm = np.linalg.norm(after[-1]["encoder"][name]["kernel"], axis=0)
        assert norm.max() < 2.0 + 1e-5
        loose = np.asarray(free[0]["encoder"][name]["kernel"])
        norms = np.linalg.norm(loose, axis=0)
        np.testing.assert_allclose(after[0]["encoder"][name]["kernel"], loose * np.minimum(1, 2 / norms), atol=1e-5)


def test_only_what_is_one_number_for_a_layer_is_slowed():
    """Fixup's tenth: of Adam's first step, which is the rate for every entry."""
    parameters = {"scale": jnp.asarray(1.0), "bias": jnp.ones(3), "kernel": jnp.ones((1, 1))}
    step = once(wrapped(slow_scalars, share=0.1), parameters)
    close(step, {"scale": -0.01, "bias": np.full(3, -0.1), "kernel": np.full((1, 1), -0.1)})


def test_lookahead_is_the_papers_two_loops():
    wrapper = wrapped(lookahead, period=4, share=0.5)
    after, state = take(wrapper, PARAMETERS, GRADIENTS[:10])
    fast, slow = optax.adam(RATE), PARAMETERS
    inner = fast.init(slow)
    with jax.numpy_dtype_promotion("standard"):
        for first in (0, 4):
            weights = slow
            for gradient in GRADIENTS[first : first + 4]:
                updates, inner = fast.update(gradient, inner)
                weights = optax.apply_updates(weights, updates)
            slow = jax.tree.map(lambda a, b: a + 0.5 * (b - a), slow, weights)
    close(after[7], slow, atol=1e-6)
    # Between two returns it is evaluated where it last came back to.
    close(slow_weights().get((), after[-1], (state,)), slow, atol=1e-6)


def test_extra_arguments_come_through_every_wrapper():
    def update(gradient, state, params=None, *, key, **extra):
        return jax.tree.map(lambda leaf: leaf + jax.random.uniform(key), gradient), state

    inner = optax.GradientTransformationExtraArgs(optax.init_empty_state, update)  # type: ignore
    extra = {"value": jnp.asarray(1.0), "grad": None, "value_fn": jnp.sum, "key": jax.random.key(3)}
    plain = once(inner, PARAMETERS, PARAMETERS, **extra)
    wrappers: Any = (
        (accumulate, {"every": 1}), (skip_non_finite, {"in_a_row": 1}), (lookahead, {"period": 2, "share": 0.5}),
        (reduce_on_plateau, {"divisor": 10, "patience": 1}), (decay_weights, {"strength": 0.0}),
    )  # fmt: skip
    for wrapper, numbers in wrappers:
        close(once(wrapped(wrapper, inner, **numbers), PARAMETERS, PARAMETERS, **extra), plain, rtol=0, atol=0)
