"""Precision: what rounding does to a gradient."""

from bench.plugins.remedy import remedy, require
from vae_jax.layers import precision
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe


@remedy(source="Kalamkar et al. 2019, arXiv:1905.12322")
def bfloat16(recipe: Recipe) -> Recipe:
    """Matrix products in bfloat16: the range of float32, so nothing underflows; 8 bits, so small differences vanish."""
    return recipe.replace(product=precision.bfloat16)


@remedy(source="Micikevicius et al. 2018, arXiv:1710.03740", control=True)
def float16(recipe: Recipe) -> Recipe:
    """Matrix products in float16 without loss scaling: a control, in which gradients below 6e-8 are lost."""
    return recipe.replace(product=precision.float16)


@remedy(source="Micikevicius et al. 2018, arXiv:1710.03740, section 3.2")
def float16_loss_scaling(recipe: Recipe, *, loss_scale: float = 1024.0) -> Recipe:
    """float16 products of a loss that is scaled up, and gradients scaled down again: few of them underflow."""
    require(loss_scale > 0, "loss_scale", loss_scale, "be above 0")
    return recipe.replace(product=configure(precision.scaled_float16, loss_scale=loss_scale))


@remedy(source="Higham 2002, Accuracy and Stability of Numerical Algorithms, SIAM", control=True)
def float64(recipe: Recipe) -> Recipe:
    """Everything in float64: a control, in which nothing underflows or is lost to rounding; what still vanishes, does.

    The model is drawn as in float32, so that a seed's two trainings start alike.
    """
    return recipe.replace(dtype="float64")
