"""Initial weights: the gain of each layer before anything is learnt."""

from bench.plugin import remedy, require
from vae_jax.configured import configure
from vae_jax.layers import initializers
from vae_jax.recipe import Recipe


@remedy(source="Krizhevsky, Sutskever & Hinton 2012, NeurIPS")
def tiny_normal(recipe: Recipe, *, standard_deviation: float = 0.01) -> Recipe:
    """N(0, 0.01^2) whatever the width, as was usual once: a negative control that shrinks signal and gradient."""
    require(standard_deviation > 0, "standard_deviation", standard_deviation, "be above 0")
    return recipe.replace(kernel_init=configure(initializers.normal, standard_deviation=standard_deviation))


@remedy(source="LeCun, Bottou, Orr & Muller 1998, Efficient BackProp")
def lecun_normal(recipe: Recipe) -> Recipe:
    """Variance 1 / fan-in: a linear layer keeps the variance of its input."""
    return _variance_scaling(recipe, 1.0)


@remedy(source="He, Zhang, Ren & Sun 2015, arXiv:1502.01852")
def he_normal(recipe: Recipe) -> Recipe:
    """Variance 2 / fan-in: makes good what ReLU's dead half takes, so norms keep their size through depth."""
    return _variance_scaling(recipe, 2.0)


@remedy(source="Saxe, McClelland & Ganguli 2014, arXiv:1312.6120")
def orthogonal(recipe: Recipe, *, scale: float = 1.0) -> Recipe:
    """All singular values equal: a matrix passes every direction of the gradient alike; activations still do not."""
    require(scale > 0, "scale", scale, "be above 0")
    return recipe.replace(kernel_init=configure(initializers.orthogonal, scale=scale))


def _variance_scaling(recipe: Recipe, scale: float) -> Recipe:
    return recipe.replace(
        kernel_init=configure(
            initializers.variance_scaling, scale=scale, mode="fan_in", distribution="truncated_normal"
        )
    )
