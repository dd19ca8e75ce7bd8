"""The evidence lower bound and its parts, in nats: summed over data and latents, averaged over the batch."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vae_jax.configured import Number


def gaussian_kl(
    mean: Float[Array, "batch latent"], log_var: Float[Array, "batch latent"]
) -> Float[Array, "batch latent"]:
    """KL divergence of a diagonal Gaussian from the standard normal, per example and latent unit, in nats.

    Zero exactly where the posterior has collapsed onto the prior.

    Args:
        mean: Posterior means.
        log_var: Logarithms of the posterior variances; below -87 the variance underflows in float32.

    Returns:
        Divergences, at least 0 up to rounding.

    Source:
        Kingma & Welling 2014, arXiv:1312.6114, appendix B.
    """
    return 0.5 * (mean**2 + jnp.exp(log_var) - 1 - log_var)


def total_kl(kl_units: Float[Array, "batch latent"]) -> Float[Array, ""]:
    """The KL term of the plain bound: summed over units, averaged over the batch."""
    return kl_units.sum(axis=-1).mean()


def free_bits(kl_units: Float[Array, "batch latent"], *, nats: Number) -> Float[Array, ""]:
    """sum_j max(nats, mean over the batch of KL_j): no unit is pressed below its allowance.

    The maximum is over the batch's mean, not over each example; below the allowance a unit's KL gradient is exactly 0.

    Source:
        Kingma et al. 2016, arXiv:1606.04934, appendix C.8.
    """
    return jnp.maximum(kl_units.mean(axis=0), nats).sum()
