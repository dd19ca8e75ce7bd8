"""Posterior heads: how the encoder's outputs become the mean and the logarithm of the variance of q(z|x)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from vae_jax.layers.constant import Constant
from vae_jax.recipe.configured import Number

Outputs = Float[Array, "batch parameters"]
Gaussian = tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]

# Constant initial values: the key is never drawn from.
_NO_KEY = 0


class GaussianHead(nnx.Module):
    """The first half of the outputs is the mean, the other the logarithm of the variance: nothing in between.

    Every other head is one of these with another `__call__`.
    """

    def __init__(self, latent: int):
        """Make a head for so many latent units."""

    def __call__(self, outputs: Outputs) -> Gaussian:
        """Mean and logarithm of the variance, from outputs of twice as many units."""
        mean, log_var = jnp.split(outputs, 2, axis=-1)
        return mean, log_var


class SoftClampHead(GaussianHead):
    """log_var = bound tanh(log_var / bound): the identity near 0, and never beyond the bound.

    A hard clip has no gradient outside its range: a posterior that strays there never comes back.

    Source:
        Vahdat & Kautz 2020, "NVAE", arXiv:2007.03898, whose code does the same to the mean.
    """

    def __init__(self, latent: int, *, bound: Number):
        self.bound = Constant(jnp.full((), bound))

    def __call__(self, outputs: Outputs) -> Gaussian:
        mean, log_var = super().__call__(outputs)
        bound = self.bound[...]
        return mean, bound * jnp.tanh(log_var / bound)


class BatchNormHead(GaussianHead):
    """mean = gamma norm(mean) + beta over the batch, with a fixed gamma and a learnt beta: examples keep apart.

    Then the batch's KL of unit j is at least (gamma^2 v_j / (v_j + epsilon) + beta_j^2) / 2, where v_j is the batch's
    variance of the unit's output: the mean of mean^2 is fixed, and the variance's part is at least 0. Where the outputs
    of all examples are one, far within sqrt(epsilon), the bound is gone with them.

    Source:
        Zhu et al. 2020, arXiv:2004.12585, equation 7, where epsilon is 0.
    """

    def __init__(self, latent: int, *, gamma: Number):
        self.gamma = Constant(jnp.full((), gamma))
        self.beta = nnx.Param(jnp.zeros((latent,)))
        # Momentum 0, as in `layers.normalization.batch_norm`: calibrated before each evaluation.
        self.normalization = nnx.BatchNorm(
            latent, momentum=0.0, epsilon=BATCH_NORM_EPSILON, use_bias=False, use_scale=False, use_fast_variance=False,
            rngs=nnx.Rngs(_NO_KEY),
        )  # fmt: skip

    def __call__(self, outputs: Outputs) -> Gaussian:
        mean, log_var = super().__call__(outputs)
        return self.gamma[...] * self.normalization(mean) + self.beta[...][None], log_var


BATCH_NORM_EPSILON = 1e-5


class MinimumRateHead(GaussianHead):
    """log_var is kept below where a posterior of mean 0 has a KL of nats / latent: no unit can have less.

    log_var = limit - softplus(limit - log_var): the identity far below the limit, the limit far above it.

    Source:
        Razavi, van den Oord, Poole & Vinyals 2019, "Preventing posterior collapse with delta-VAEs", arXiv:1901.03416:
        the independent family; the smooth bound and its one side are ours.
    """

    def __init__(self, latent: int, *, nats: Number):
        self.limit = Constant(rate_limit(jnp.full((), nats / latent)))

    def __call__(self, outputs: Outputs) -> Gaussian:
        mean, log_var = super().__call__(outputs)
        limit = self.limit[...]
        return mean, limit - jax.nn.softplus(limit - log_var)


def rate_limit(nats: Float[Array, ""]) -> Float[Array, ""]:
    """The v below 0 with (e^v - 1 - v) / 2 = nats, by Newton's method; nats from 1e-4 to 40.

    The function is convex and falls below 0, so from the left of the root every step stays there and comes nearer.
    """

    def newton(_: Any, v: Float[Array, ""]) -> Float[Array, ""]:
        return v - (jnp.expm1(v) - v - 2 * nats) / jnp.expm1(v)

    return jax.lax.fori_loop(0, 30, newton, -1 - 2 * nats)
