"""Turns of encoder and decoder, against two optimizers in a plain loop."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from vae_jax.optimization.aggressive_encoder import take_turns

STEPS = 12


@pytest.mark.parametrize("make", [optax.sgd, functools.partial(optax.sgd, momentum=0.9), optax.adam])
def test_turns_are_two_optimizers_of_which_one_may_wait(make):
    parameters = {"encoder": {"kernel": jnp.ones(3)}, "posterior_head": {"beta": jnp.ones(2)}, "decoder": jnp.ones(4)}
    draw = np.random.default_rng(0)
    gradients = [jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), jnp.float32), parameters)
                 for _ in range(STEPS)]  # fmt: skip
    expected = {}
    for name in parameters:
        optimizer, own = make(0.1), parameters[name]
        state = optimizer.init(own)
        for step, gradient in enumerate(gradients):
            decoders = step % 3 == 2
            if step >= 6 or decoders == (name == "decoder"):
                with jax.numpy_dtype_promotion("standard"):
                    updates, state = optimizer.update(gradient[name], state, own)
                own = optax.apply_updates(own, updates)
        expected[name] = own

    @jax.jit
    def take(found, state, gradient, steps):
        with jax.numpy_dtype_promotion("standard"):
            optimizer = take_turns(make(0.1), jnp.asarray(0.1), steps, encoder_updates=2, share=jnp.asarray(0.5))
            extra = {"grad": gradient, "value": jnp.zeros(()), "key": jax.random.key(0)}
            updates, state = optimizer.update(gradient, state, found, **extra)
        return optax.apply_updates(found, updates), state

    steps, found = jnp.asarray(STEPS), parameters
    state = take_turns(make(0.1), jnp.asarray(0.1), steps, encoder_updates=2, share=0.5).init(parameters)
    for gradient in gradients:
        found, state = take(found, state, gradient, steps)
    assert take._cache_size() == 1  # type: ignore
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), found, expected)


def test_without_a_share_all_learn_together():
    parameters = {"encoder": jnp.ones(3), "decoder": jnp.ones(4)}
    optimizer = take_turns(optax.sgd(0.1), jnp.asarray(0.1), jnp.asarray(STEPS), encoder_updates=2, share=0.0)
    updates, _ = optimizer.update(parameters, optimizer.init(parameters), parameters)
    plain, _ = optax.sgd(0.1).update(parameters, optax.sgd(0.1).init(parameters))
    jax.tree.map(np.testing.assert_array_equal, updates, plain)
