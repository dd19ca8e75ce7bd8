"""Precision: what rounding does to a gradient."""

from bench.plugin import remedy
from vae_jax.layers import precision
from vae_jax.recipe import Recipe


@remedy(source="Kalamkar et al. 2019, arXiv:1905.12322")
def bfloat16(recipe: Recipe) -> Recipe:
    """Matrix products in bfloat16: the range of float32, so nothing underflows; 8 bits, so small differences vanish."""
    return recipe.replace(product=precision.bfloat16)


@remedy(source="Micikevicius et al. 2018, arXiv:1710.03740")
def float16(recipe: Recipe) -> Recipe:
    """Matrix products in float16 without loss scaling: a control, in which gradients below 6e-8 are lost."""
    return recipe.replace(product=precision.float16)
