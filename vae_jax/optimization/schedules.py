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


def exponential_decay(step: Steps, steps: int, *, final: float) -> Factors:
    """The same share off at every step, down to `final` at the end."""
    return final ** (step / steps)


def linear_decay(step: Steps, steps: int, *, floor: float) -> Factors:
    """A straight line from 1 down to `floor` at the end."""
    return 1 - (1 - floor) * (step / steps)


def step_decay(step: Steps, steps: int, *, factor: float, stages: int) -> Factors:
    """`stages` equal stages, in each of which the rate is `factor` of that in the stage before."""
    return factor ** (step * stages // steps).astype(jnp.float32)


def warm_restarts(step: Steps, steps: int, *, cycles: int, growth: int) -> Factors:
    """`cycles` half cosines from 1 down to 0, each `growth` times as long as the one before.

    Source:
        Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5.
    """
    whole = sum(growth**cycle for cycle in range(cycles))
    starts = jnp.asarray([steps * sum(growth**c for c in range(cycle)) / whole for cycle in range(cycles)])
    position = step.astype(jnp.float32)
    cycle = jnp.searchsorted(starts, position, side="right") - 1
    lengths = jnp.asarray([steps * growth**cycle / whole for cycle in range(cycles)])
    return 0.5 * (1 + jnp.cos(jnp.pi * (position - starts[cycle]) / lengths[cycle]))


def one_cycle(step: Steps, steps: int, *, rise: float, start: float, final: float) -> Factors:
    """Half a cosine up from `start` to 1 over the first `rise` share, half a cosine down to `final` over the rest.

    Source:
        Smith & Topin 2018, arXiv:1708.07120; with cosines for lines as in fast.ai and PyTorch.
    """
    position = step / steps
    up = start + (1 - start) * 0.5 * (1 - jnp.cos(jnp.pi * position / rise))
    down = final + (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * (position - rise) / (1 - rise)))
    return jnp.where(position < rise, up, down)


def inverse_square_root(step: Steps, steps: int, *, fraction: float) -> Factors:
    """A linear rise over the first `fraction`, then 1 / sqrt(step) from there.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, equation 3, scaled to a peak of 1.
    """
    count, warm = (step + 1).astype(jnp.float32), max(1.0, fraction * steps)
    return jnp.minimum(count / warm, jnp.sqrt(warm / count))


def triangular(step: Steps, steps: int, *, cycles: int, floor: float) -> Factors:
    """`cycles` equal cycles, each a straight line from `floor` up to 1 and another back.

    Source:
        Smith 2017, arXiv:1506.01186, section 3.1, "triangular".
    """
    position = (step * cycles % steps) / steps
    return floor + (1 - floor) * (1 - jnp.abs(2 * position - 1))


def warmup_stable_decay(step: Steps, steps: int, *, warmup: float, decay: float) -> Factors:
    """A linear rise over the first `warmup` share, then 1, and a straight line to 0 over the last `decay` share.

    Source:
        Hu et al. 2024, arXiv:2404.06395, section 4; the line down as in Haegele et al. 2024, arXiv:2405.18392.
    """
    rise = linear_warmup(step, steps, fraction=warmup) if warmup else jnp.ones(step.shape)
    return jnp.minimum(rise, jnp.minimum(1.0, (steps - step).astype(jnp.float32) / max(1.0, decay * steps)))


def cyclical(step: Steps, steps: int, *, cycles: int, ramp: float) -> Factors:
    """`cycles` equal cycles, each a linear rise from 0 to 1 over its first `ramp` share, then 1.

    Source:
        Fu et al. 2019, arXiv:1903.10145, equation 6.
    """
    # The remainder in integers: in float32 a cycle may otherwise start a step late.
    position = (step * cycles % steps) / steps
    return jnp.minimum(1.0, position / ramp)
