"""Activations: what each unit's slope does to the gradient that passes through it."""

import jax
import jax.numpy as jnp

from bench.plugins.remedy import remedy, require
from vae_jax.initialization.initializers import looks_linear, orthogonal, variance_scaling
from vae_jax.layers import activations
from vae_jax.layers.units import ConcatenatedUnit, GatedUnit, MaxoutUnit, ParametricUnit
from vae_jax.recipe.configured import configure, defer
from vae_jax.recipe.recipe import Recipe


@remedy(source="LeCun, Bottou, Orr & Muller 1998, Efficient BackProp; Glorot & Bengio 2010, AISTATS")
def tanh(recipe: Recipe) -> Recipe:
    """Slope 1 and value 0 at zero, where sigmoid has 1/4 and 1/2: small signals pass unchanged, both ways."""
    return recipe.replace(activation=jnp.tanh)


@remedy(source="LeCun, Bottou, Orr & Muller 1998, Efficient BackProp")
def scaled_tanh(recipe: Recipe) -> Recipe:
    """1.7159 tanh(2 z / 3): slope 1.14 at zero, so a little saturation is made good; maps 1 to 1."""
    return recipe.replace(activation=activations.scaled_tanh)


@remedy(source="Saxe, McClelland & Ganguli 2014, arXiv:1312.6120", control=True)
def linear_activation(recipe: Recipe) -> Recipe:
    """No activation: a control in which a block's Jacobian is its matrix, and nothing can saturate."""
    return recipe.replace(activation=jax.nn.identity)


@remedy(source="Glorot & Bengio 2010, AISTATS")
def softsign(recipe: Recipe) -> Recipe:
    """z / (1 + |z|): slope 1 at zero like tanh's, and tails that saturate polynomially, so slopes die more slowly."""
    return recipe.replace(activation=jax.nn.soft_sign)


@remedy(source="Collobert 2004, PhD thesis, Universite Paris VI")
def hard_tanh(recipe: Recipe) -> Recipe:
    """The identity cut off at -1 and 1: slope exactly 1 inside, where nothing is lost, and exactly 0 outside."""
    return recipe.replace(activation=jax.nn.hard_tanh)


@remedy(source="Howard et al. 2019, arXiv:1905.02244", control=True)
def hard_sigmoid(recipe: Recipe) -> Recipe:
    """A sigmoid of straight lines: slope 1/6 between -3 and 3, none outside; a control that loses more than sigmoid."""
    return recipe.replace(activation=jax.nn.hard_sigmoid)


@remedy(source="Nair & Hinton 2010, ICML; Glorot, Bordes & Bengio 2011, AISTATS")
def relu(recipe: Recipe) -> Recipe:
    """Slope 1 on the positive half, 0 on the other: halves the mean square of signal and gradient alike."""
    return recipe.replace(activation=jax.nn.relu)


@remedy(source="Maas, Hannun & Ng 2013, ICML workshop")
def leaky_relu(recipe: Recipe, *, negative_slope: float = 0.01) -> Recipe:
    """ReLU with a small slope on the negative half: no unit's gradient is exactly zero."""
    return recipe.replace(activation=configure(jax.nn.leaky_relu, negative_slope=negative_slope))


@remedy(source="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10")
def relu6(recipe: Recipe) -> Recipe:
    """ReLU cut off at 6: bounds the signal, and with it what a gradient is multiplied by in the layer above."""
    return recipe.replace(activation=jax.nn.relu6)


@remedy(source="So, Manke, Liu, Dai, Shazeer & Le 2021, arXiv:2109.08668")
def squared_relu(recipe: Recipe) -> Recipe:
    """max(z, 0)^2: a slope in proportion to the signal, so that both shrink or grow doubly exponentially with depth."""
    return recipe.replace(activation=activations.squared_relu)


@remedy(source="He, Zhang, Ren & Sun 2015, arXiv:1502.01852")
def prelu(recipe: Recipe, *, negative_slope: float = 0.25) -> Recipe:
    """ReLU with a learnt slope on the negative half, one for each layer: it learns how much gradient to let through."""
    return recipe.replace(
        activation=configure(activations.parametric_relu, negative_slope=negative_slope),
        unit=configure(ParametricUnit, negative_slope=negative_slope),
    )


@remedy(source="Zhang, Botev & Martens 2022, arXiv:2203.08120")
def tailored_leaky_relu(recipe: Recipe, *, correlation: float = 0.9) -> Recipe:
    """A leaky ReLU whose slope is solved for the depth, so that inputs grow only so alike; with orthogonal weights.

    Where ReLU itself does not make them so alike at that depth, it is ReLU, scaled.
    """
    require(0 < correlation < 1, "correlation", correlation, "lie in (0, 1)")
    return recipe.replace(
        activation=defer(activations.tailored, correlation=correlation), kernel_init=configure(orthogonal, scale=1.0)
    )


@remedy(source="Shang, Sohn, Almeida & Lee 2016, arXiv:1603.05201; Balduzzi et al. 2017, arXiv:1702.08591")
def crelu(recipe: Recipe) -> Recipe:
    """relu(z) beside relu(-z) with mirrored orthogonal weights: the drawn network is linear and loses no gradient."""
    return recipe.replace(activation=jax.nn.relu, unit=ConcatenatedUnit, kernel_init=looks_linear)


@remedy(source="Goodfellow, Warde-Farley, Mirza, Courville & Bengio 2013, arXiv:1302.4389")
def maxout(recipe: Recipe, *, pieces: int = 2) -> Recipe:
    """The greatest of several linear pieces: slope 1 along whichever wins, so nothing ever saturates."""
    require(pieces >= 2, "pieces", pieces, "be at least 2")
    return recipe.replace(activation=jax.nn.identity, unit=configure(MaxoutUnit, pieces=pieces))


@remedy(source="Dauphin, Fan, Auli & Grangier 2017, arXiv:1612.08083")
def glu(recipe: Recipe) -> Recipe:
    """A linear path times a sigmoid gate: the gradient has a way that no activation bends, scaled by the gate."""
    return recipe.replace(activation=jax.nn.sigmoid, unit=GatedUnit)


@remedy(source="Shazeer 2020, arXiv:2002.05202")
def geglu(recipe: Recipe) -> Recipe:
    """A linear path times a GELU gate: a product, whose signal and gradient depend on two matrices at once."""
    return recipe.replace(activation=jax.nn.gelu, unit=GatedUnit)


@remedy(source="Shazeer 2020, arXiv:2002.05202")
def swiglu(recipe: Recipe) -> Recipe:
    """A linear path times a SiLU gate: a product, whose signal and gradient depend on two matrices at once."""
    return recipe.replace(activation=jax.nn.silu, unit=GatedUnit)


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
    """x times the normal distribution function (its tanh form): a smooth ReLU whose slope at zero is 1/2."""
    return recipe.replace(activation=jax.nn.gelu)


@remedy(source="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118; Ramachandran, Zoph & Le 2017, arXiv:1710.05941")
def silu(recipe: Recipe) -> Recipe:
    """x * sigmoid(x): smooth, unbounded above, slope 1/2 at zero, so small signals still shrink."""
    return recipe.replace(activation=jax.nn.silu)


@remedy(source="Misra 2019, arXiv:1908.08681")
def mish(recipe: Recipe) -> Recipe:
    """x * tanh(softplus(x)): smooth and unbounded above, slope 0.6 at zero, where sigmoid has 0.25."""
    return recipe.replace(activation=jax.nn.mish)


@remedy(source="Dugas, Bengio, Belisle, Nadeau & Garcia 2001, NeurIPS")
def softplus(recipe: Recipe) -> Recipe:
    """log(1 + e^x), whose slope is a sigmoid: no unit dies, but a large positive mean makes examples alike."""
    return recipe.replace(activation=jax.nn.softplus)


@remedy(source="Barron 2021, arXiv:2112.11687")
def squareplus(recipe: Recipe) -> Recipe:
    """(x + sqrt(x^2 + 4)) / 2: softplus's shape from algebra alone, with slopes that die polynomially."""
    return recipe.replace(activation=jax.nn.squareplus)


@remedy(source="Howard et al. 2019, arXiv:1905.02244")
def hard_silu(recipe: Recipe) -> Recipe:
    """z times a sigmoid of straight lines: a parabola from -3 to 3, slope 1/2 at zero, 1 above and exactly 0 below."""
    return recipe.replace(activation=jax.nn.hard_silu)
