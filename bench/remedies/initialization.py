"""Initial weights: the gain of each layer before anything is learnt."""

from bench.plugins.remedy import remedy, require
from vae_jax.initialization import gains, initializers
from vae_jax.initialization.data_dependent import unit_variance, zero_mean_unit_variance
from vae_jax.recipe.configured import configure, defer
from vae_jax.recipe.recipe import Recipe


@remedy(source="Krizhevsky, Sutskever & Hinton 2012, NeurIPS", control=True)
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


@remedy(source="Glorot & Bengio 2010, AISTATS")
def glorot_normal(recipe: Recipe) -> Recipe:
    """Variance 2 / (fan-in + fan-out): a compromise between keeping the signal's variance and the gradient's."""
    return recipe.replace(
        kernel_init=configure(initializers.variance_scaling, scale=1.0, mode="fan_avg", distribution="truncated_normal")
    )


@remedy(
    source="Saxe, McClelland & Ganguli 2014, arXiv:1312.6120; Pennington, Schoenholz & Ganguli 2017, arXiv:1711.04735"
)
def orthogonal_for_activation(recipe: Recipe) -> Recipe:
    """Orthogonal weights with the gain that makes good what the activation takes from a gradient at variance 1."""
    return recipe.replace(kernel_init=defer(gains.orthogonal_for_activation))


@remedy(source="Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli 2016, arXiv:1606.05340")
def signal_preserving(recipe: Recipe) -> Recipe:
    """Gaussian weights with the gain under which pre-activations of variance 1 keep it through depth."""
    return recipe.replace(kernel_init=defer(gains.signal_preserving))


@remedy(source="Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, arXiv:1611.01232")
def critical(recipe: Recipe, *, variance: float = 0.25) -> Recipe:
    """Weights and biases on the edge of chaos: chi is 1 at the signal's own variance, so gradients keep their size.

    The point whose pre-activations have this variance, or the next that there is; for tanh at 0.25 about (1.39, 0.008).
    """
    require(variance > 0, "variance", variance, "be above 0")
    return recipe.replace(
        kernel_init=defer(gains.critical_weights, variance=variance),
        bias_init=defer(gains.critical_biases, variance=variance),
    )


@remedy(source="Le, Jaitly & Hinton 2015, arXiv:1504.00941")
def identity(recipe: Recipe, *, scale: float = 1.0) -> Recipe:
    """Square matrices start as the identity: each unit hands on its own gradient, and no direction is favoured."""
    require(scale > 0, "scale", scale, "be above 0")
    return recipe.replace(kernel_init=configure(initializers.identity, scale=scale))


@remedy(source="Martens 2010, ICML")
def sparse(recipe: Recipe, *, connections: int = 15) -> Recipe:
    """Each unit starts with few inputs: units stay different from one another, and the sums do not grow with width."""
    require(connections >= 1, "connections", connections, "be at least 1")
    return recipe.replace(kernel_init=configure(initializers.sparse, connections=connections))


@remedy(source="Mishkin & Matas 2016, arXiv:1511.06422")
def lsuv(recipe: Recipe) -> Recipe:
    """Orthogonal weights, each matrix divided by the deviation of its sums on real data, one layer after another."""
    return recipe.replace(kernel_init=configure(initializers.orthogonal, scale=1.0), data_dependent_init=unit_variance)


@remedy(source="Salimans & Kingma 2016, arXiv:1602.07868, section 3")
def data_dependent(recipe: Recipe) -> Recipe:
    """Each unit is scaled and shifted to sums of mean 0 and variance 1 on real data: none starts saturated."""
    return recipe.replace(data_dependent_init=zero_mean_unit_variance)


def _variance_scaling(recipe: Recipe, scale: float) -> Recipe:
    return recipe.replace(
        kernel_init=configure(
            initializers.variance_scaling, scale=scale, mode="fan_in", distribution="truncated_normal"
        )
    )
