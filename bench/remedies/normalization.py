"""Normalizations: the scale of the signal is reset in every layer."""

from bench.plugin import remedy, require
from vae_jax import posteriors
from vae_jax.configured import configure
from vae_jax.layers import normalization
from vae_jax.recipe import Recipe


@remedy(source="Ioffe & Szegedy 2015, arXiv:1502.03167")
def batch_norm(recipe: Recipe) -> Recipe:
    """Each unit to mean 0, variance 1 over the batch: also pulls examples apart that a layer has made alike."""
    return recipe.replace(normalization=normalization.batch_norm)


@remedy(source="Ba, Kiros & Hinton 2016, arXiv:1607.06450")
def layer_norm(recipe: Recipe) -> Recipe:
    """Each example to mean 0, variance 1 over its units: resets the scale, leaves examples as alike as they are."""
    return recipe.replace(normalization=normalization.layer_norm)


@remedy(source="Zhang & Sennrich 2019, arXiv:1910.07467")
def rms_norm(recipe: Recipe) -> Recipe:
    """Each example to mean square 1 over its units: layer normalization without the mean."""
    return recipe.replace(normalization=normalization.rms_norm)


@remedy(source="Zhu et al. 2020, arXiv:2004.12585")
def bn_vae(recipe: Recipe, *, gamma: float = 0.5) -> Recipe:
    """Posterior means to a fixed spread over the batch: their KL has a floor, so that they cannot collapse."""
    require(gamma > 0, "gamma", gamma, "be above 0")
    return recipe.replace(posterior_head=configure(posteriors.BatchNormHead, gamma=gamma))
