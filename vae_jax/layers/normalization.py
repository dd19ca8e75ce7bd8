"""Normalizations: flax's own layers, with the settings that a deep stack needs."""

from collections.abc import Callable

import jax
from flax import nnx

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
    steps at the usual 0.99; `train.calibrate` passes the training set through once instead, before each evaluation.

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


def rms_norm(width: int) -> nnx.RMSNorm:
    """Every example to mean square 1 over its units, then a learnt scale.

    Source:
        Zhang & Sennrich 2019, arXiv:1910.07467.
    """
    return nnx.RMSNorm(width, epsilon=1e-6, rngs=nnx.Rngs(_NO_KEY))
