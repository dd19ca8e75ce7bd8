"""Activations: what each unit's slope does to the gradient that passes through it."""

import jax
import jax.numpy as jnp

from bench.plugin import remedy
from vae_jax.configured import configure
from vae_jax.layers.initializers import variance_scaling
from vae_jax.recipe import Recipe


@remedy(source="LeCun, Bottou, Orr & Muller 1998, Efficient BackProp; Glorot & Bengio 2010, AISTATS")
def tanh(recipe: Recipe) -> Recipe:
    """Slope 1 and value 0 at zero, where sigmoid has 1/4 and 1/2: small signals pass unchanged, both ways."""
    return recipe.replace(activation=jnp.tanh)


@remedy(source="Nair & Hinton 2010, ICML; Glorot, Bordes & Bengio 2011, AISTATS")
def relu(recipe: Recipe) -> Recipe:
    """Slope 1 on the positive half, 0 on the other: halves the mean square of signal and gradient alike."""
    return recipe.replace(activation=jax.nn.relu)


@remedy(source="Maas, Hannun & Ng 2013, ICML workshop")
def leaky_relu(recipe: Recipe, *, negative_slope: float = 0.01) -> Recipe:
    """ReLU with a small slope on the negative half: no unit's gradient is exactly zero."""
    return recipe.replace(activation=configure(jax.nn.leaky_relu, negative_slope=negative_slope))


@remedy(source="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289")
def elu(recipe: Recipe) -> Recipe:
    """Slope 1 at zero and a soft floor at -1: means nearer to zero than ReLU's, and no dead half."""
    return recipe.replace(activation=jax.nn.elu)


@remedy(source="Klambauer, Unterthiner, Mayr & Hochreiter 2017, arXiv:1706.02515")
def selu(recipe: Recipe) -> Recipe:
    """Scaled ELU with LeCun's initialization: mean 0 and variance 1 are a fixed point from layer to layer."""
    return recipe.replace(
        activation=jax.nn.selu,
        kernel_init=configure(variance_scaling, scale=1.0, mode="fan_in", distribution="truncated_normal"),
    )


@remedy(source="Hendrycks & Gimpel 2016, arXiv:1606.08415")
def gelu(recipe: Recipe) -> Recipe:
    """X times the normal distribution function (its tanh form): a smooth ReLU whose slope at zero is 1/2."""
    return recipe.replace(activation=jax.nn.gelu)


@remedy(source="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118; Ramachandran, Zoph & Le 2017, arXiv:1710.05941")
def silu(recipe: Recipe) -> Recipe:
    """x * sigmoid(x): smooth, unbounded above, slope 1/2 at zero, so small signals still shrink."""
    return recipe.replace(activation=jax.nn.silu)
