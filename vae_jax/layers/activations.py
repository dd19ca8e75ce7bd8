"""Activations that jax does not give, elementwise."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import scipy.optimize
from jaxtyping import Array, Float

from vae_jax.recipe.configured import Configured, Number, configure

Signal = Float[Array, "*shape"]


def scaled_tanh(z: Signal) -> Signal:
    """1.7159 tanh(2 z / 3): maps +-1 to itself, where its slope still changes most.

    Source:
        LeCun, Bottou, Orr & Muller 1998, Efficient BackProp, section 4.4.
    """
    return 1.7159 * jnp.tanh(2 / 3 * z)


def squared_relu(z: Signal) -> Signal:
    """max(z, 0)^2.

    Source:
        So et al. 2021, arXiv:2109.08668.
    """
    return jnp.square(jax.nn.relu(z))


def parametric_relu(z: Signal, learnt: Float[Array, ""] | None = None, *, negative_slope: Number) -> Signal:
    """max(z, 0) + a min(z, 0) with a learnt a.

    Args:
        z: What is activated.
        learnt: a; where its unit has none, what it starts from.
        negative_slope: What a starts from.

    Source:
        He, Zhang, Ren & Sun 2015, arXiv:1502.01852.
    """
    slope = negative_slope if learnt is None else learnt
    return jnp.maximum(z, 0) + slope * jnp.minimum(z, 0)


def normalized_leaky_relu(z: Signal, *, negative_slope: Number) -> Signal:
    """A leaky ReLU, times what makes the mean square after it that before it: sqrt(2 / (1 + a^2)) LReLU_a(z)."""
    return jnp.sqrt(2 / (1 + jnp.square(jnp.asarray(negative_slope)))) * jax.nn.leaky_relu(z, negative_slope)


def tailored(recipe: Any, depth: int, *, correlation: float) -> Configured:
    """The leaky ReLU whose slope makes orthogonal inputs as alike as asked after all hidden layers of both towers.

    Where ReLU itself, the slope 0, does not reach it at this depth, it is ReLU.

    Args:
        recipe: Not asked.
        depth: Blocks of each tower.
        correlation: The cosine to reach.

    Source:
        Zhang, Botev & Martens 2022, arXiv:2203.08120 (tailored activation transformation).
    """
    layers = 2 * (depth + 1)

    def excess(slope: float) -> float:
        cosine = 0.0
        for _ in range(layers):
            cosine = leaky_relu_cosine(cosine, slope)
        return cosine - correlation

    slope = scipy.optimize.root_scalar(excess, bracket=(0.0, 1.0)).root if excess(0.0) > 0 else 0.0
    return configure(normalized_leaky_relu, negative_slope=float(slope))


def leaky_relu_cosine(cosine: float, slope: float) -> float:
    """The cosine between two signals after a wide layer and a leaky ReLU, from that before.

    Source:
        Zhang, Botev & Martens 2022, arXiv:2203.08120; for the slope 0 the arc-cosine kernel of Cho & Saul 2009.
    """
    bent = math.sqrt(1 - cosine**2) - cosine * math.acos(cosine)
    return min(1.0, cosine + (1 - slope) ** 2 / (math.pi * (1 + slope**2)) * bent)
