"""The score and its parts, those of the evidence lower bound: summed over data and latents, averaged over the batch."""

import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vae_jax.models.batch import Batch, Forward
from vae_jax.models.likelihoods import Categorical, Likelihood


class LossParts(NamedTuple):
    """What a model is judged by on one minibatch, and its parts: None for what is not there of such a model.

    Attributes:
        score: The reconstruction and the KL at weight 1, which is -ELBO; the reconstruction alone where no z is drawn.
        reconstruction: Minus the log-likelihood, in the likelihood's own unit.
        kl_nats: The KL of all latents.
        shuffled: The reconstruction where each example is given the z of another; see `Forward`.
        accuracy: Share of symbols, or classes, of which the likeliest is right.
    """

    score: Float[Array, ""]
    reconstruction: Float[Array, ""]
    kl_nats: Float[Array, ""] | None = None
    shuffled: Float[Array, ""] | None = None
    accuracy: Float[Array, ""] | None = None


def loss_parts(forward: Forward, batch: Batch, likelihood: Likelihood) -> LossParts:
    """The score and its parts: for training, evaluation, estimates and blame alike.

    Args:
        forward: The pass.
        batch: What it was given.
        likelihood: What its outputs mean.
    """

    def cost(outputs: Float[Array, "batch ..."]) -> Float[Array, ""]:
        return -likelihood.log_prob(outputs, batch.target, batch.mask).mean()

    reconstruction, accuracy = cost(forward.outputs), None
    shuffled = None if forward.shuffled is None else cost(forward.shuffled)
    if isinstance(likelihood, Categorical):
        accuracy = likelihood.accuracy(forward.outputs, batch.target, batch.mask)
    if not forward.latents:
        return LossParts(reconstruction, reconstruction, None, shuffled, accuracy)
    kl = functools.reduce(
        operator.add, (total_kl(gaussian_kl(latent.mean, latent.log_var)) for latent in forward.latents)
    )
    return LossParts(reconstruction + kl, reconstruction, kl, shuffled, accuracy)


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


def exact_kl(
    mean: Float[Array, "batch latent"], log_var: Float[Array, "batch latent"], z: Float[Array, "batch latent"]
) -> Float[Array, "batch latent"]:
    """The KL term by its closed form: it has no need of the draw."""
    return gaussian_kl(mean, log_var)


def sticking_the_landing(
    mean: Float[Array, "batch latent"], log_var: Float[Array, "batch latent"], z: Float[Array, "batch latent"]
) -> Float[Array, "batch latent"]:
    """The KL term by one draw, log q(z) - log p(z), whose gradient reaches the posterior by way of z alone.

    What is left out, the gradient of log q with respect to its own parameters at a fixed z, is 0 on average and noise
    otherwise. Without it the bound's gradient has no variance where the posterior is exact.

    Args:
        mean: Posterior means.
        log_var: Logarithms of the posterior variances.
        z: One draw of that posterior, as a function of its parameters.

    Returns:
        Estimates, of either sign.

    Source:
        Roeder, Wu & Duvenaud 2017, arXiv:1703.09194.
    """
    mean, log_var = jax.lax.stop_gradient((mean, log_var))
    return 0.5 * (z**2 - (z - mean) ** 2 * jnp.exp(-log_var) - log_var)
