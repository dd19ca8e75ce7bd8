"""KL treatments: how hard the posterior is pressed onto the prior, and when. Every arm is reported at weight 1."""

from bench.plugin import remedy, require
from vae_jax.configured import configure
from vae_jax.objective import free_bits as free_bits_objective
from vae_jax.optimization import schedules
from vae_jax.recipe import Recipe


@remedy(source="Higgins et al. 2017, ICLR (beta-VAE)", idle={"weight": 1.0})
def beta(recipe: Recipe, *, weight: float = 0.5) -> Recipe:
    """A constant weight on the KL term: below 1 it presses the encoder less, so that it may carry information."""
    require(weight >= 0, "weight", weight, "be at least 0")
    return recipe.chain(kl_schedules=configure(schedules.constant, value=weight))


@remedy(source="Bowman et al. 2016, arXiv:1511.06349; Sonderby et al. 2016, arXiv:1602.02282")
def kl_warmup(recipe: Recipe, *, fraction: float = 0.2) -> Recipe:
    """The KL weight rises from 0 to 1 over the first share of training: the decoder learns to use z first."""
    require(0 < fraction <= 1, "fraction", fraction, "lie in (0, 1]")
    return recipe.chain(kl_schedules=configure(schedules.linear_warmup, fraction=fraction))


@remedy(source="Fu et al. 2019, arXiv:1903.10145")
def cyclical_annealing(recipe: Recipe, *, cycles: int = 4, ramp: float = 0.5) -> Recipe:
    """Several KL warm-ups in a row: each restart lets the encoder open up again from what was learnt."""
    require(cycles >= 1, "cycles", cycles, "be at least 1")
    require(0 < ramp <= 1, "ramp", ramp, "lie in (0, 1]")
    return recipe.chain(kl_schedules=configure(schedules.cyclical, cycles=cycles, ramp=ramp))


@remedy(source="Kingma et al. 2016, arXiv:1606.04934")
def free_bits(recipe: Recipe, *, nats: float = 0.25) -> Recipe:
    """Below an allowance a latent unit's KL costs nothing and has no gradient: nothing presses it to collapse."""
    require(nats >= 0, "nats", nats, "be at least 0")
    return recipe.replace(kl_treatment=configure(free_bits_objective, nats=nats))
