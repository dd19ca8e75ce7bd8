"""Optimizers: how a gradient of any size becomes a step. Each names its own scale of learning rates."""

import optax

from bench.plugin import remedy, require
from vae_jax.configured import configure
from vae_jax.recipe import Recipe


@remedy(source="Polyak 1964, USSR Computational Mathematics and Mathematical Physics 4(5)")
def momentum(recipe: Recipe, *, momentum: float = 0.9) -> Recipe:
    """SGD along a decaying sum of gradients: larger steps in a steady direction, ten times at 0.9."""
    _decays(momentum=momentum)
    return recipe.replace(optimizer=configure(optax.sgd, momentum=momentum), learning_rate=0.003)


@remedy(source="Nesterov 1983, Doklady 269; Sutskever, Martens, Dahl & Hinton 2013, ICML")
def nesterov(recipe: Recipe, *, momentum: float = 0.9) -> Recipe:
    """Momentum that looks one step ahead: damps the overshoot of plain momentum."""
    _decays(momentum=momentum)
    return recipe.replace(optimizer=configure(optax.sgd, momentum=momentum, nesterov=True), learning_rate=0.003)


@remedy(source="Hinton 2012, Neural Networks for Machine Learning, lecture 6e")
def rmsprop(recipe: Recipe, *, decay: float = 0.9, eps: float = 1e-8) -> Recipe:
    """Divides each entry by its own root mean square: the step's size no longer depends on the gradient's."""
    _decays(decay=decay)
    require(eps > 0, "eps", eps, "be above 0")
    return recipe.replace(optimizer=configure(optax.rmsprop, decay=decay, eps=eps), learning_rate=1e-3)


@remedy(source="Kingma & Ba 2015, arXiv:1412.6980")
def adam(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Recipe:
    """RMSProp with momentum and bias correction: rescales vanishing gradients until they fall below eps."""
    _decays(b1=b1, b2=b2)
    require(eps > 0, "eps", eps, "be above 0")
    return recipe.replace(optimizer=configure(optax.adam, b1=b1, b2=b2, eps=eps), learning_rate=1e-3)


@remedy(source="Loshchilov & Hutter 2019, arXiv:1711.05101")
def adamw(recipe: Recipe, *, weight_decay: float = 1e-4) -> Recipe:
    """Adam whose weight decay is not rescaled: starved layers shrink at a known rate."""
    require(weight_decay >= 0, "weight_decay", weight_decay, "be at least 0")
    return recipe.replace(optimizer=configure(optax.adamw, weight_decay=weight_decay), learning_rate=1e-3)


def _decays(**rates: float) -> None:
    for name, rate in rates.items():
        require(0 <= rate < 1, name, rate, "lie in [0, 1)")
