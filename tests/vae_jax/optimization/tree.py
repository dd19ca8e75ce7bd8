"""A small model's parameters by the names that a model's have, and a plain loop of steps on them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax


def tree(seed: int) -> Any:
    """Normal draws in the shapes of a tower: an input layer, two blocks and a head."""
    draw = np.random.default_rng(seed)

    def layer(inputs: int, outputs: int) -> dict[str, Any]:
        return {
            "kernel": jnp.asarray(draw.normal(size=(inputs, outputs)), jnp.float32),
            "bias": jnp.asarray(draw.normal(size=outputs), jnp.float32),
        }

    blocks = {0: {"dense": layer(5, 5)}, 1: {"dense": layer(5, 5)}}
    return {"encoder": {"input": layer(7, 5), "blocks": blocks, "head": layer(5, 3)}}


def take(transformation: Any, parameters: Any, gradients: list[Any], **extra: Any) -> tuple[list[Any], Any]:
    """The parameters after each step, and the transformation's last state."""
    transformation = optax.with_extra_args_support(transformation)

    @jax.jit
    def step(gradient: Any, state: Any, parameters: Any) -> tuple[Any, Any]:
        updates, state = transformation.update(gradient, state, parameters, **extra)
        return optax.apply_updates(parameters, updates), state

    with jax.numpy_dtype_promotion("standard"):
        state, after = transformation.init(parameters), []
        for gradient in gradients:
            parameters, state = step(gradient, state, parameters)
            after.append(parameters)
    return after, state


def once(transformation: Any, gradient: Any, parameters: Any = None, **extra: Any) -> Any:
    """The first update."""
    transformation = optax.with_extra_args_support(transformation)

    @jax.jit
    def first(gradient: Any, parameters: Any) -> Any:
        return transformation.update(gradient, transformation.init(parameters), parameters, **extra)[0]

    with jax.numpy_dtype_promotion("standard"):
        return first(gradient, gradient if parameters is None else parameters)


def close(found: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-7) -> None:
    """Assert that two trees hold the same numbers."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found, expected)
