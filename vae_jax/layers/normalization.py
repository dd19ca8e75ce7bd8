"""Normalizations: flax's own layers with the settings that a deep stack needs, and those that it has not.

Units stand on the last axis. Of an image they are its channels: what is over units is there over the channels at each
position, and what is over the batch over the positions too.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from vae_jax.recipe.configured import Number

# Constant initial values: the key is never drawn from.
_NO_KEY = 0


def no_normalization(width: int) -> Callable[[jax.Array], jax.Array]:
    """The pre-activation as it is."""
    return Identity()


class Identity(nnx.Module):
    """A layer that returns its input."""

    def __call__(self, h: jax.Array) -> jax.Array:
        return h


def batch_norm(width: int) -> nnx.BatchNorm:
    """Every unit to mean 0 and variance 1 over the batch, then a learnt scale and shift.

    Momentum 0: the statistics kept are those of the last batch seen. Running averages are wrong for the first 500
    steps at the usual 0.99; `evaluate.calibrate` passes the training set through once instead, before each evaluation.

    Source:
        Ioffe & Szegedy 2015, arXiv:1502.03167.
    """
    return nnx.BatchNorm(width, momentum=0.0, epsilon=1e-5, use_fast_variance=False, rngs=nnx.Rngs(_NO_KEY))


def layer_norm(width: int) -> nnx.LayerNorm:
    """Every example to mean 0 and variance 1 over its units, then a learnt scale and shift.

    The slow variance: the fast one, E[x^2] - E[x]^2, cancels where the mean is large, as in sigmoid stacks.

    Source:
        Ba, Kiros & Hinton 2016, arXiv:1607.06450.
    """
    return nnx.LayerNorm(width, epsilon=1e-6, use_fast_variance=False, rngs=nnx.Rngs(_NO_KEY))


def group_norm(width: int, *, units: int) -> nnx.GroupNorm:
    """Every example's units in groups, each to mean 0 and variance 1, then a learnt scale and shift.

    A group of channels is one over all positions.

    Args:
        width: Units of the layer.
        units: In a group, at least: as few more as it takes to have groups of one size.

    Source:
        Wu & He 2018, arXiv:1803.08494.
    """
    groups = max(number for number in range(1, max(width // units, 1) + 1) if width % number == 0)
    return nnx.GroupNorm(width, num_groups=groups, epsilon=1e-5, use_fast_variance=False, rngs=nnx.Rngs(_NO_KEY))


class ScaleNorm(nnx.Module):
    """Every example to one learnt length, at first the square root of the width.

    Source:
        Nguyen & Salazar 2019, arXiv:1910.05895.
    """

    def __init__(self, width: int):
        self.length = nnx.Param(jnp.full((), math.sqrt(width)))

    def __call__(self, h: jax.Array) -> jax.Array:
        # The square root of zero has no slope.
        length = jnp.sqrt(jnp.maximum(jnp.sum(h**2, axis=-1, keepdims=True), 1e-10))
        return self.length[...] * h / length


class DynamicTanh(nnx.Module):
    """gamma * tanh(alpha h) + beta with a learnt alpha for the layer: squashes what is large, and sums nothing up.

    Source:
        Zhu, Chen, He, LeCun & Liu 2025, arXiv:2503.10622.
    """

    def __init__(self, width: int, *, alpha: Number):
        self.alpha = nnx.Param(jnp.full((), alpha))
        self.scale = nnx.Param(jnp.ones((width,)))
        self.bias = nnx.Param(jnp.zeros((width,)))

    def __call__(self, h: jax.Array) -> jax.Array:
        rank = (None,) * (h.ndim - 1)
        return self.scale[...][rank] * jnp.tanh(self.alpha[...] * h) + self.bias[...][rank]


def rms_norm(width: int) -> nnx.RMSNorm:
    """Every example to mean square 1 over its units, then a learnt scale.

    Source:
        Zhang & Sennrich 2019, arXiv:1910.07467.
    """
    return nnx.RMSNorm(width, epsilon=1e-6, rngs=nnx.Rngs(_NO_KEY))
