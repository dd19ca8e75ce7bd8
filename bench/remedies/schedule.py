"""Learning-rate schedules: a factor by step; several multiply."""

from bench.plugins.remedy import remedy, require
from vae_jax.optimization import schedules, wrappers
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe


@remedy(source="Loshchilov & Hutter 2017, arXiv:1608.03983", idle={"floor": 1.0})
def cosine_decay(recipe: Recipe, *, floor: float = 0.0) -> Recipe:
    """Half a cosine down to a floor: a larger rate while the gradient is informative, a small one at the end."""
    _share(floor=floor)
    return recipe.chain(learning_rate_schedules=configure(schedules.cosine_decay, floor=floor))


@remedy(source="Goyal et al. 2017, arXiv:1706.02677")
def learning_rate_warmup(recipe: Recipe, *, fraction: float = 0.1) -> Recipe:
    """A linear rise over the first share of training: keeps early, badly scaled gradients from wrecking a layer."""
    require(0 < fraction <= 1, "fraction", fraction, "lie in (0, 1]")
    return recipe.chain(learning_rate_schedules=configure(schedules.linear_warmup, fraction=fraction))


@remedy(
    source="Senior, Heigold, Ranzato & Yang 2013, ICASSP, on learning rates for speech recognition", idle={"final": 1.0}
)
def exponential_decay(recipe: Recipe, *, final: float = 0.01) -> Recipe:
    """The same share off at every step: trades reach for less of the gradient's noise, from the start on."""
    require(0 < final <= 1, "final", final, "lie in (0, 1]")
    return recipe.chain(learning_rate_schedules=configure(schedules.exponential_decay, final=final))


@remedy(source="Defazio, Cutkosky, Mehta & Mishchenko 2023, arXiv:2310.07831", idle={"floor": 1.0})
def linear_decay(recipe: Recipe, *, floor: float = 0.0) -> Recipe:
    """A straight line down to a floor: noise is averaged out at the end, as by averaging the iterates."""
    _share(floor=floor)
    return recipe.chain(learning_rate_schedules=configure(schedules.linear_decay, floor=floor))


@remedy(source="He, Zhang, Ren & Sun 2016, arXiv:1512.03385, section 4.2", idle={"factor": 1.0})
def step_decay(recipe: Recipe, *, factor: float = 0.1, stages: int = 3) -> Recipe:
    """A tenth of the rate at each third: a plateau that is the rate's noise, and not the gradient's end, gives way."""
    require(0 < factor <= 1, "factor", factor, "lie in (0, 1]")
    require(stages >= 2, "stages", stages, "be at least 2")
    return recipe.chain(learning_rate_schedules=configure(schedules.step_decay, factor=factor, stages=stages))


@remedy(source="Loshchilov & Hutter 2017, arXiv:1608.03983 (SGDR)")
def warm_restarts(recipe: Recipe, *, cycles: int = 3, growth: int = 2) -> Recipe:
    """Cosines in a row, each longer: a large rate again and again, to leave a flat place by."""
    require(cycles >= 1, "cycles", cycles, "be at least 1")
    require(growth >= 1, "growth", growth, "be at least 1")
    return recipe.chain(learning_rate_schedules=configure(schedules.warm_restarts, cycles=cycles, growth=growth))


@remedy(source="Smith & Topin 2018, arXiv:1708.07120")
def one_cycle(recipe: Recipe, *, rise: float = 0.3, start: float = 0.04, final: float = 4e-6) -> Recipe:
    """Up to a large rate and down to almost none: the rise lets weights settle first, the peak crosses flat places."""
    require(0 < rise < 1, "rise", rise, "lie in (0, 1)")
    _share(start=start, final=final)
    made = configure(schedules.one_cycle, rise=rise, start=start, final=final)
    return recipe.chain(learning_rate_schedules=made)


@remedy(source="Vaswani et al. 2017, arXiv:1706.03762")
def inverse_square_root(recipe: Recipe, *, fraction: float = 0.04) -> Recipe:
    """A rise, then 1 / sqrt(step): falls at first and hardly later, so a slow gradient is given time."""
    require(0 < fraction <= 1, "fraction", fraction, "lie in (0, 1]")
    return recipe.chain(learning_rate_schedules=configure(schedules.inverse_square_root, fraction=fraction))


@remedy(source="Smith 2017, arXiv:1506.01186", idle={"floor": 1.0})
def cyclical_learning_rate(recipe: Recipe, *, cycles: int = 4, floor: float = 0.25) -> Recipe:
    """Straight lines up and down again: now and then a rate too large for the steep places, to cross the flat ones."""
    require(cycles >= 1, "cycles", cycles, "be at least 1")
    _share(floor=floor)
    return recipe.chain(learning_rate_schedules=configure(schedules.triangular, cycles=cycles, floor=floor))


@remedy(source="Hu et al. 2024, arXiv:2404.06395 (WSD)")
def warmup_stable_decay(recipe: Recipe, *, warmup: float = 0.05, decay: float = 0.2) -> Recipe:
    """Full rate for most of the training and a short way down: the longest time at the largest rate."""
    require(0 <= warmup <= 1, "warmup", warmup, "lie in [0, 1]")
    require(0 < decay <= 1, "decay", decay, "lie in (0, 1]")
    made = configure(schedules.warmup_stable_decay, warmup=warmup, decay=decay)
    return recipe.chain(learning_rate_schedules=made)


@remedy(source="Bengio 2012, arXiv:1206.5533, section 3.1.1; optax.contrib.reduce_on_plateau")
def reduce_on_plateau(recipe: Recipe, *, divisor: int = 10, patience: int = 10) -> Recipe:
    """A tenth of the update whenever the loss has stood for a tenth of the training: on a dead arm, a second death."""
    require(divisor >= 2, "divisor", divisor, "be at least 2")
    require(patience >= 1, "patience", patience, "be at least 1")
    made = configure(wrappers.reduce_on_plateau, divisor=divisor, patience=patience)
    return recipe.chain(optimizer_wrappers=made)


@remedy(source="Smith, Kindermans, Ying & Le 2018, arXiv:1711.00489", idle={"factor": 1})
def growing_batch(recipe: Recipe, *, factor: int = 5, stages: int = 3) -> Recipe:
    """Ever more minibatches to an update where others lower the rate: less noise at as many gradients."""
    require(factor >= 1, "factor", factor, "be at least 1")
    require(2 <= stages <= 8, "stages", stages, "lie in [2, 8]")
    return recipe.chain(optimizer_wrappers=configure(wrappers.grow_batch, factor=factor, stages=stages))


def _share(**values: float) -> None:
    for name, value in values.items():
        require(0 <= value <= 1, name, value, "lie in [0, 1]")
