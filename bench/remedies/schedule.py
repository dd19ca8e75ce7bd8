"""Learning-rate schedules: a factor by step; several multiply."""

from bench.plugin import remedy, require
from vae_jax.configured import configure
from vae_jax.optimization import schedules
from vae_jax.recipe import Recipe


@remedy(source="Loshchilov & Hutter 2017, arXiv:1608.03983", idle={"floor": 1.0})
def cosine_decay(recipe: Recipe, *, floor: float = 0.0) -> Recipe:
    """Half a cosine down to a floor: a larger rate while the gradient is informative, a small one at the end."""
    require(0 <= floor <= 1, "floor", floor, "lie in [0, 1]")
    return recipe.chain(learning_rate_schedules=configure(schedules.cosine_decay, floor=floor))


@remedy(source="Goyal et al. 2017, arXiv:1706.02677")
def learning_rate_warmup(recipe: Recipe, *, fraction: float = 0.1) -> Recipe:
    """A linear rise over the first share of training: keeps early, badly scaled gradients from wrecking a layer."""
    require(0 < fraction <= 1, "fraction", fraction, "lie in (0, 1]")
    return recipe.chain(learning_rate_schedules=configure(schedules.linear_warmup, fraction=fraction))
