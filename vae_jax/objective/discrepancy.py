"""The maximum mean discrepancy: a distance between the codes of a whole batch and the prior."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vae_jax.objective.bound import total_kl
from vae_jax.objective.treatment import Treatment, stateless
from vae_jax.recipe.configured import Number
from vae_jax.recipe.keys import named_key


def maximum_mean_discrepancy(
    first: Float[Array, "first latent"], second: Float[Array, "second latent"]
) -> Float[Array, ""]:
    """The squared distance between the mean embeddings of two samples; 0 where they are the same.

    With the kernel exp(-|a - b|^2 / (2 latent)): 2 latent is the mean squared distance between two draws of the prior.
    The means are over all pairs, each point with itself among them.

    Source:
        Gretton, Borgwardt, Rasch, Scholkopf & Smola 2012, JMLR 13, equation 5.
    """

    def similarity(a: Array, b: Array) -> Float[Array, ""]:
        squares = jnp.sum((a[:, None, :] - b[None, :, :]) ** 2, axis=-1)
        return jnp.exp(-squares / (2 * a.shape[-1])).mean()

    return similarity(first, first) + similarity(second, second) - 2 * similarity(first, second)


def mmd(*, alpha: Number, scale: Number) -> Treatment:
    """(1 - alpha) KL + (alpha + scale - 1) MMD: the batch's codes together are to look like the prior, not each alone.

    Args:
        alpha: How much of the KL term is dropped: at 1 all of it.
        scale: lambda, of the discrepancy; at alpha 0 and scale 1 this is the plain bound.

    Source:
        Zhao, Song & Ermon 2019, "InfoVAE", arXiv:1706.02262, equation 6.
    """

    def kl_path(view):
        prior = jax.random.normal(named_key(view.key, "prior"), view.z.shape, view.z.dtype)
        distance = maximum_mean_discrepancy(view.z, prior)
        return view.weight * ((1 - alpha) * total_kl(view.kl_units) + (alpha + scale - 1) * distance)

    return stateless(kl_path)
