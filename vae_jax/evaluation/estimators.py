"""Figures of a trained VAE beyond its plain bound: a tighter bound, and how much z says of x.

They take posteriors and a likelihood; `vae_jax.evaluation.estimates` runs them all on a trained model.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from vae_jax.objective.bound import gaussian_kl, total_kl

ACTIVE_VARIANCE = 0.01
"""Variance of a unit's posterior mean above which it counts as active (Burda et al. 2016)."""

FEWEST_POSTERIORS = 512
"""Below it the ceiling log N, 6.2 nats here, is what a mutual information shows."""

LogLikelihood = Callable[[Float[Array, "batch latent"]], Float[Array, " batch"]]


class ImportanceWeighted(NamedTuple):
    """Per example.

    Attributes:
        bound: The importance-weighted bound, in nats.
        effective_samples: (sum w)^2 / sum w^2, from 1 to the number of samples; all of them count alike at the end.
    """

    bound: Float[Array, " batch"]
    effective_samples: Float[Array, " batch"]


class MutualInformation(NamedTuple):
    """How the KL term divides, in nats: mean KL = mutual information + marginal KL.

    Attributes:
        nats: I_q(x; z) over the given posteriors, at most `ceiling`.
        marginal_kl: KL of the aggregated posterior from the prior.
        ceiling: log N for N posteriors: nothing above it can be told from it.
    """

    nats: Float[Array, ""]
    marginal_kl: Float[Array, ""]
    ceiling: Float[Array, ""]


def importance_weighted_bound(
    key: PRNGKeyArray,
    mean: Float[Array, "batch latent"],
    log_var: Float[Array, "batch latent"],
    log_likelihood: LogLikelihood,
    *,
    samples: int,
    chunk: int,
) -> ImportanceWeighted:
    """log (1/K) sum_k p(x|z_k) p(z_k) / q(z_k|x) with K draws from each posterior: at least the ELBO, in expectation.

    Chunks of samples are folded into running sums, so memory grows with the chunk and not with K. Sample k has a key
    of its own: the first samples of a longer run are those of a shorter one, whatever the chunk.

    Args:
        key: Key of the draws.
        mean: Posterior means.
        log_var: Logarithms of the posterior variances.
        log_likelihood: log p(x|z) per example, in nats, for one z of each.
        samples: K, at least 1.
        chunk: Samples decoded at once, at least 1.

    Raises:
        ValueError: If there is no sample, or none in a chunk.

    Source:
        Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, equation 8.
    """
    for name, value in (("samples", samples), ("chunk", chunk)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}: a bound is a mean over samples")

    def log_weight(index: Int[Array, ""]) -> Float[Array, " batch"]:
        noise = jax.random.normal(jax.random.fold_in(key, index), mean.shape, mean.dtype)
        z = mean + jnp.exp(0.5 * log_var) * noise
        # log p(z) - log q(z|x): the normalisers of both Gaussians cancel but for log_var.
        log_ratio = 0.5 * (noise**2 + log_var - z**2).sum(axis=-1)
        # The last chunk may be longer than what is left.
        return jnp.where(index < samples, log_likelihood(z) + log_ratio, -jnp.inf)

    def add(position: Int[Array, ""], totals: Float[Array, "2 batch"]) -> Float[Array, "2 batch"]:
        log_weights = jax.vmap(log_weight)(position * chunk + jnp.arange(chunk))
        sums = [jax.nn.logsumexp(power * log_weights, axis=0) for power in (1, 2)]
        return jnp.logaddexp(totals, jnp.stack(sums))

    # Logarithms of the sum of weights and of the sum of their squares.
    empty = jnp.full((2, len(mean)), -jnp.inf, mean.dtype)
    first, second = jax.lax.fori_loop(0, -(-samples // chunk), add, empty)
    return ImportanceWeighted(first - math.log(samples), jnp.exp(2 * first - second))


def active_units(mean: Float[Array, "examples latent"]) -> tuple[Int[Array, ""], Float[Array, " latent"]]:
    """How many units' posterior means vary by more than `ACTIVE_VARIANCE` over the examples, and each one's variance.

    Args:
        mean: Posterior means, at least 2.

    Source:
        Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, section 5.2; the variance with N - 1.
    """
    variances = jnp.var(mean, axis=0, ddof=1)
    return (variances > ACTIVE_VARIANCE).sum(), variances


def mutual_information(
    key: PRNGKeyArray, mean: Float[Array, "examples latent"], log_var: Float[Array, "examples latent"], *, chunk: int
) -> MutualInformation:
    """E[log q(z|x) - log q(z)] with one draw of z from each posterior and q(z) their equal mixture.

    A draw's own posterior is one of the mixture, so no draw counts for more than log N, and the estimate is biased
    downwards as it comes near.

    Args:
        key: Key of the draws.
        mean: Posterior means, at least `FEWEST_POSTERIORS`.
        log_var: Logarithms of the posterior variances.
        chunk: Draws compared with all posteriors at once.

    Raises:
        ValueError: If there are too few posteriors.

    Source:
        Hoffman & Johnson 2016, "ELBO surgery"; estimated as by He et al. 2019, arXiv:1901.05534, but with log q(z|x)
        at the same draws.
    """
    count = len(mean)
    if count < FEWEST_POSTERIORS:
        raise ValueError(
            f"mutual information needs at least {FEWEST_POSTERIORS} posteriors, got {count}: it cannot exceed the "
            f"logarithm of their number, {math.log(count):.2f} nats, so give the posteriors of more examples"
        )
    z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape, mean.dtype)

    def log_densities(z: Float[Array, " latent"]) -> Float[Array, " examples"]:
        # Without the constant, which cancels. Differences are squared, not expanded: expanded they cancel in float32.
        return -0.5 * ((z[None] - mean) ** 2 * jnp.exp(-log_var) + log_var).sum(axis=-1)

    def information(example: tuple[Int[Array, ""], Float[Array, " latent"]]) -> Float[Array, ""]:
        index, drawn = example
        densities = log_densities(drawn)
        return densities[index] - jax.nn.logsumexp(densities) + math.log(count)

    # Whole chunks, the last draws twice where they do not divide: a rest would be compiled a second time.
    whole = jnp.minimum(jnp.arange(-(-count // chunk) * chunk), count - 1)
    nats = jax.lax.map(information, (whole, z[whole]), batch_size=chunk)[:count].mean()
    kl = total_kl(gaussian_kl(mean, log_var))
    return MutualInformation(nats, kl - nats, jnp.full((), math.log(count), mean.dtype))
