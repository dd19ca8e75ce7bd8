"""Schedules: factors in [0, 1] by step, for learning rates and KL weights alike.

A schedule is `(step, steps) -> factor` with `step` an array of step indices from 0 and `steps` the length of the
training. They are evaluated before the training and enter it as arrays, so no schedule makes another program.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

Steps = Int[Array, " steps"]
Factors = Float[Array, " steps"]


def constant(step: Steps, steps: int, *, value: float) -> Factors:
    """The same value throughout."""
    return jnp.full(step.shape, value)


def linear_warmup(step: Steps, steps: int, *, fraction: float) -> Factors:
    """A linear rise from 0 that reaches 1 after `fraction` of the training and stays there.

    The first step already counts one share of the rise: at factor 0 it would be wasted.
    """
    return jnp.minimum(1.0, (step + 1).astype(jnp.float32) / max(1.0, fraction * steps))


def sigmoid_rise(step: Steps, steps: int, *, middle: float, steepness: float) -> Factors:
    """1 / (1 + exp(-steepness (progress - middle))): slow at first, quickest at `middle`, slow at the end.

    Args:
        step: Here and elsewhere, indices from 0.
        steps: The training's length.
        middle: The share of training at which it is 1/2.
        steepness: Four times its slope there.
    """
    return jax.nn.sigmoid(steepness * (step / steps - middle))


def cosine_decay(step: Steps, steps: int, *, floor: float) -> Factors:
    """Half a cosine from 1 down to `floor` at the end.

    Source:
        Loshchilov & Hutter 2017, arXiv:1608.03983, one cycle without restarts.
    """
    return jnp.asarray(optax.cosine_decay_schedule(1.0, steps, alpha=floor)(step.astype(jnp.float32)))


def cyclical(step: Steps, steps: int, *, cycles: int, ramp: float) -> Factors:
    """`cycles` equal cycles, each a linear rise from 0 to 1 over its first `ramp` share, then 1.

    Source:
        Fu et al. 2019, arXiv:1903.10145, equation 6.
    """
    # The remainder in integers: in float32 a cycle may otherwise start a step late.
    position = (step * cycles % steps) / steps
    return jnp.minimum(1.0, position / ramp)
