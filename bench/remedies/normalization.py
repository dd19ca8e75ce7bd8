"""Normalizations: the scale of the signal is reset in every layer."""

from bench.plugin import remedy
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
