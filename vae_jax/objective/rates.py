"""Treatments without a memory that name the rate, in nats, which the KL term is to have or may have for nothing."""

import jax.numpy as jnp

from vae_jax.objective.bound import total_kl
from vae_jax.objective.treatment import Treatment, stateless
from vae_jax.recipe.configured import Number


def free_bits(*, nats: Number) -> Treatment:
    """sum_j max(nats, mean over the batch of KL_j): no unit is pressed below its allowance.

    The maximum is over the batch's mean, not over each example; below the allowance a unit's KL gradient is exactly 0.

    Source:
        Kingma et al. 2016, arXiv:1606.04934, appendix C.8.
    """
    return stateless(lambda view: view.weight * jnp.maximum(view.kl_units.mean(axis=0), nats).sum())


def capacity(*, nats: Number, pressure: Number, share: Number) -> Treatment:
    """pressure |KL - C|: the KL term is held at C, which rises from 0 to `nats` over the first `share` of training.

    Source:
        Burgess et al. 2018, arXiv:1804.03599, equation 8, with C by the share of training and not by the step.
    """

    def kl_path(view):
        allowed = nats * jnp.minimum(view.progress / share, 1.0)
        return view.weight * pressure * jnp.abs(total_kl(view.kl_units) - allowed)

    return stateless(kl_path)
