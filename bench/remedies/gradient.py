"""What is done to a gradient before the optimizer sees it."""

import optax

from bench.plugin import remedy, require
from vae_jax import objective
from vae_jax.configured import configure
from vae_jax.recipe import Recipe


@remedy(source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063")
def clip_by_global_norm(recipe: Recipe, *, max_norm: float = 1.0) -> Recipe:
    """Scales the whole gradient down to a greatest norm: cures explosion, not vanishing; allows larger rates."""
    require(max_norm > 0, "max_norm", max_norm, "be above 0")
    return recipe.chain(gradient_transforms=configure(optax.clip_by_global_norm, max_norm=max_norm))


@remedy(source="Roeder, Wu & Duvenaud 2017, arXiv:1703.09194")
def sticking_the_landing(recipe: Recipe) -> Recipe:
    """Drops a part of the KL gradient that is 0 on average: the rest has no noise where the posterior is exact."""
    return recipe.replace(kl_estimator=objective.sticking_the_landing)
