"""How one step comes by its gradient: what stands between the loss and everything that handles gradients.

A gradient function is `(differentiate, parameters) -> ((loss, aux), gradient)`, where `differentiate(parameters)` gives
the same. Within one step it always sees the same batch and the same noise, so that two gradients of one step differ by
their parameters alone.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from vae_jax.recipe.configured import Number

Parameters = Any
Differentiated = tuple[tuple[jax.Array, Any], Parameters]
Differentiate = Callable[[Parameters], Differentiated]


def plain_gradient(differentiate: Differentiate, parameters: Parameters) -> Differentiated:
    """The gradient where the parameters are."""
    return differentiate(parameters)


def sharpness_aware(differentiate: Differentiate, parameters: Parameters, *, radius: Number) -> Differentiated:
    """The gradient at the top of a ball around the parameters, to first order; the loss and its parts at its middle.

    Args:
        differentiate: See above.
        parameters: The ball's middle.
        radius: rho, the ball's, in the Euclidean norm over all parameters.

    Source:
        Foret, Kleiner, Mobahi & Neyshabur 2021, arXiv:2010.01412, equations 2 and 3.
    """
    here, gradient = differentiate(parameters)
    norm = optax.tree.norm(gradient)
    # Where nothing ascends there is no top: the ball's middle then, not 0 / 0.
    scale = jnp.where(norm > 0, radius / jnp.where(norm > 0, norm, 1.0), 0.0)
    above = jax.tree.map(lambda leaf, slope: leaf + (scale * slope).astype(leaf.dtype), parameters, gradient)
    return here, differentiate(above)[1]


def gradient_evaluations(gradient_function: Callable[..., Differentiated]) -> int:
    """How many gradients a step takes; counted, not declared."""
    calls = 0

    def differentiate(parameters: Parameters) -> Differentiated:
        nonlocal calls
        calls += 1
        return (jnp.zeros(()), ()), parameters

    jax.eval_shape(lambda leaf: gradient_function(differentiate, leaf), jnp.zeros(()))
    return calls
