"""Whether a gradient has become 0 in half precision, where it would be there with a larger loss."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp

from vae_jax.diagnosis.layers.attribution import double
from vae_jax.diagnosis.layers.chain import Chain
from vae_jax.diagnosis.layers.readings import Layer
from vae_jax.diagnosis.tracing.passes import Passes, Pulled, Value

_LOSS_SCALE = 4096.0
"""A gradient that is there with the loss times this, and not without, has underflowed: 2^12, exact in any type."""

_MOST = 0.5


def underflows(
    chain: Chain, passes: Passes, values: Mapping[int, Value], pulled: Pulled, layers: Sequence[Layer], loss: int
) -> bool:
    """Whether most entries of some block's gradient are 0 that are not with a larger loss.

    Args:
        chain: The model's blocks.
        passes: Its passes.
        values: Of the forward pass.
        pulled: Of the loss's backward pass.
        layers: As they were read.
        loss: The loss's number.
    """
    narrow = [block.after for block in chain.blocks if values[block.after].dtype in (jnp.float16, jnp.bfloat16)]
    if not narrow or not any(layer.zero_share > _MOST for layer in layers):
        return False
    seeds = {loss: jnp.full_like(values[loss], _LOSS_SCALE)}
    scaled = passes.backward(values, seeds, parameters=False)
    for number in narrow:
        own, larger = (each.at.get(number) for each in (pulled, scaled))
        if own is not None and larger is not None:
            lost = (double(own) == 0) & (double(larger) != 0)
            if lost.mean() > _MOST * (double(larger) != 0).mean():
                return True
    return False
