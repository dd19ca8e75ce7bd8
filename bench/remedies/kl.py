"""KL treatments: how hard the posterior is pressed onto the prior, and when. Every arm is reported at weight 1."""

from bench.plugins.remedy import remedy, require
from vae_jax.models import posteriors
from vae_jax.objective import discrepancy, multipliers, rates
from vae_jax.optimization import schedules
from vae_jax.optimization.aggressive_encoder import take_turns
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe


@remedy(source="Higgins et al. 2017, ICLR (beta-VAE)", idle={"weight": 1.0})
def beta(recipe: Recipe, *, weight: float = 0.5) -> Recipe:
    """A constant weight on the KL term: below 1 it presses the encoder less, so that it may carry information."""
    require(weight >= 0, "weight", weight, "be at least 0")
    return recipe.chain(kl_schedules=configure(schedules.constant, value=weight))


@remedy(source="Bowman et al. 2016, arXiv:1511.06349; Sonderby et al. 2016, arXiv:1602.02282", idle={"fraction": 1e-9})
def kl_warmup(recipe: Recipe, *, fraction: float = 0.2) -> Recipe:
    """The KL weight rises from 0 to 1 over the first share of training: the decoder learns to use z first."""
    require(0 < fraction <= 1, "fraction", fraction, "lie in (0, 1]")
    return recipe.chain(kl_schedules=configure(schedules.linear_warmup, fraction=fraction))


@remedy(source="Bowman et al. 2016, arXiv:1511.06349")
def sigmoid_annealing(recipe: Recipe, *, middle: float = 0.2, steepness: float = 30.0) -> Recipe:
    """The KL weight rises along a sigmoid: next to no pressure on the encoder at first, all of it soon after `middle`.

    Middle and steepness are in shares of the training and ours: the weight is 0.0025 at first, 0.95 at 0.3.
    """
    require(0 <= middle <= 1, "middle", middle, "lie in [0, 1]")
    require(steepness > 0, "steepness", steepness, "be above 0")
    return recipe.chain(kl_schedules=configure(schedules.sigmoid_rise, middle=middle, steepness=steepness))


@remedy(source="Fu et al. 2019, arXiv:1903.10145")
def cyclical_annealing(recipe: Recipe, *, cycles: int = 4, ramp: float = 0.5) -> Recipe:
    """Several KL warm-ups in a row: each restart lets the encoder open up again from what was learnt."""
    require(cycles >= 1, "cycles", cycles, "be at least 1")
    require(0 < ramp <= 1, "ramp", ramp, "lie in (0, 1]")
    return recipe.chain(kl_schedules=configure(schedules.cyclical, cycles=cycles, ramp=ramp))


@remedy(source="Kingma et al. 2016, arXiv:1606.04934", idle={"nats": 0.0})
def free_bits(recipe: Recipe, *, nats: float = 0.25) -> Recipe:
    """Below an allowance a latent unit's KL costs nothing and has no gradient: nothing presses it to collapse."""
    require(nats >= 0, "nats", nats, "be at least 0")
    return recipe.replace(kl_treatment=configure(rates.free_bits, nats=nats))


@remedy(source="Chen et al. 2017, arXiv:1611.02731")
def soft_free_bits(recipe: Recipe, *, nats: float = 5.0, tolerance: float = 0.05, factor: float = 1.01) -> Recipe:
    """The KL gradient is turned down step by step while the whole KL is below `nats`, and up again above it.

    Nats, tolerance and the factor of a step are ours, for digits and trainings of some thousand steps.
    """
    require(nats > 0, "nats", nats, "be above 0")
    require(tolerance >= 0, "tolerance", tolerance, "be at least 0")
    require(factor > 1, "factor", factor, "be above 1")
    treatment = configure(multipliers.soft_free_bits, nats=nats, tolerance=tolerance, factor=factor)
    return recipe.replace(kl_treatment=treatment)


@remedy(source="Pelsmaeker & Aziz 2020, arXiv:1904.08194", idle={"nats": 0.0})
def minimum_desired_rate(recipe: Recipe, *, nats: float = 5.0, rate: float = 0.001) -> Recipe:
    """A Lagrange multiplier weakens the KL gradient, and in time turns it round, until the KL is at least `nats`.

    Nats and the multiplier's rate are ours, for digits: at a KL of 0 the gradient is gone after 200 steps.
    """
    require(nats >= 0, "nats", nats, "be at least 0")
    require(rate > 0, "rate", rate, "be above 0")
    return recipe.replace(kl_treatment=configure(multipliers.minimum_desired_rate, nats=nats, rate=rate))


@remedy(source="Burgess et al. 2018, arXiv:1804.03599", idle={"nats": 0.0, "pressure": 1.0})
def capacity(recipe: Recipe, *, nats: float = 5.0, pressure: float = 10.0, share: float = 0.5) -> Recipe:
    """The KL is held at a capacity that rises to `nats`: a collapsed posterior is pushed off the prior.

    The paper has 25 nats and a pressure of 1000 on images of 64 x 64: these are for digits, which hold some 5 nats.
    """
    require(nats >= 0, "nats", nats, "be at least 0")
    require(pressure > 0, "pressure", pressure, "be above 0")
    require(0 < share <= 1, "share", share, "lie in (0, 1]")
    return recipe.replace(kl_treatment=configure(rates.capacity, nats=nats, pressure=pressure, share=share))


@remedy(source="Rezende & Viola 2018, arXiv:1810.00597")
def geco(
    recipe: Recipe, *, nats: float = 20.0, decay: float = 0.99, rate: float = 0.001, largest: float = 10.0
) -> Recipe:
    """The reconstruction's gradient grows, against the KL term's, until the reconstruction costs at most `nats`.

    The bound on its weight and the weight's rate are ours; 20 nats are for digits, where a dead decoder costs 27.
    """
    require(0 <= decay < 1, "decay", decay, "lie in [0, 1)")
    require(rate > 0, "rate", rate, "be above 0")
    require(largest >= 1, "largest", largest, "be at least 1")
    treatment = configure(multipliers.geco, nats=nats, decay=decay, rate=rate, largest=largest)
    return recipe.replace(kl_treatment=treatment)


@remedy(source="Zhao, Song & Ermon 2019, arXiv:1706.02262 (InfoVAE)", idle={"alpha": 0.0, "scale": 1.0})
def mmd(recipe: Recipe, *, alpha: float = 1.0, scale: float = 1000.0) -> Recipe:
    """The batch's codes together are pressed onto the prior, not each by itself: they may stay apart from each other.

    At alpha 0 and scale 1 it is the plain bound, at alpha 1 the KL term is gone. The kernel's width is ours.
    """
    require(0 <= alpha <= 1, "alpha", alpha, "lie in [0, 1]")
    require(alpha + scale >= 1, "scale", scale, "be at least 1 - alpha")
    return recipe.replace(kl_treatment=configure(discrepancy.mmd, alpha=alpha, scale=scale))


@remedy(source="Razavi, van den Oord, Poole & Vinyals 2019, arXiv:1901.03416 (delta-VAE)")
def minimum_rate(recipe: Recipe, *, nats: float = 2.0) -> Recipe:
    """Variances too small for a KL below `nats`: the posterior cannot collapse, whatever the gradient says.

    The least KL is shared out evenly among the latent units; how much is ours.
    """
    require(nats > 0, "nats", nats, "be above 0")
    return recipe.replace(posterior_head=configure(posteriors.MinimumRateHead, nats=nats))


@remedy(source="Vahdat & Kautz 2020, arXiv:2007.03898 (NVAE)", idle={"bound": 1e6})
def soft_clamp(recipe: Recipe, *, bound: float = 5.0) -> Recipe:
    """log_var = bound tanh(log_var / bound): it cannot run off to where its gradient is 0 or overflows."""
    require(bound > 0, "bound", bound, "be above 0")
    return recipe.replace(posterior_head=configure(posteriors.SoftClampHead, bound=bound))


@remedy(source="He, Spokoyny, Neubig & Berg-Kirkpatrick 2019, arXiv:1901.05534", idle={"share": 0.0})
def aggressive_encoder(recipe: Recipe, *, encoder_updates: int = 10, share: float = 0.2) -> Recipe:
    """Ten gradients for the encoder to one for the decoder at first: the decoder meets an encoder that keeps up.

    The paper trains the encoder until it no longer gains, up to 100 times, and stops when the mutual information no
    longer grows; a fixed number and a fixed share of the training are ours.
    """
    require(encoder_updates >= 1, "encoder_updates", encoder_updates, "be at least 1")
    require(0 <= share <= 1, "share", share, "lie in [0, 1]")
    return recipe.chain(optimizer_wrappers=configure(take_turns, encoder_updates=encoder_updates, share=share))
