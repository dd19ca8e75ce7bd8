"""Optimizers: how a gradient of any size becomes a step. Each names its own scale of learning rates."""

import optax

from bench.plugins.remedy import remedy, require, require_positive
from vae_jax.optimization import optimizers, wrappers
from vae_jax.optimization.evaluated import schedule_free_average
from vae_jax.optimization.shampoo import shampoo as shampoo_optimizer
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe


@remedy(source="Robbins & Monro 1951, Annals of Mathematical Statistics 22(3)")
def sgd(recipe: Recipe) -> Recipe:
    """The gradient times the rate: a layer moves as much as comes back to it, and no more."""
    return recipe.replace(optimizer=optax.sgd, learning_rate=0.03)


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


@remedy(source="Riedmiller & Braun 1993, IEEE International Conference on Neural Networks")
def rprop(recipe: Recipe, *, shrink: float = 0.5, grow: float = 1.2) -> Recipe:
    """A step of its own for each entry, by the gradient's sign alone: made for full batches, noise shrinks it."""
    require(0 < shrink < 1, "shrink", shrink, "lie in (0, 1)")
    require(grow > 1, "grow", grow, "be above 1")
    return recipe.replace(optimizer=configure(optimizers.rprop, shrink=shrink, grow=grow), learning_rate=1e-3)


@remedy(source="Hinton 2012, Neural Networks for Machine Learning, lecture 6e")
def rmsprop(recipe: Recipe, *, decay: float = 0.9, eps: float = 1e-8) -> Recipe:
    """Divides each entry by its own root mean square: the step's size no longer depends on the gradient's."""
    _decays(decay=decay)
    require_positive(eps=eps)
    # Under the root, as optax would have it, 1e-8 is the square of a gradient that already counts for nothing.
    return recipe.replace(
        optimizer=configure(optax.rmsprop, decay=decay, eps=eps, eps_in_sqrt=False), learning_rate=1e-3
    )


@remedy(source="Duchi, Hazan & Singer 2011, JMLR 12")
def adagrad(recipe: Recipe, *, accumulator: float = 0.0, eps: float = 1e-20) -> Recipe:
    """Divides each entry by the root of its squares so far: rescales what is small, and steps ever less."""
    # optax starts at 0.1: below a gradient of 0.3 that would be plain SGD. Its eps is under the root.
    require(accumulator >= 0, "accumulator", accumulator, "be at least 0")
    require_positive(eps=eps)
    made = configure(optax.adagrad, initial_accumulator_value=accumulator, eps=eps)
    return recipe.replace(optimizer=made, learning_rate=0.01)


@remedy(source="Zeiler 2012, arXiv:1212.5701")
def adadelta(recipe: Recipe, *, rho: float = 0.9, eps: float = 1e-6) -> Recipe:
    """Steps as large as its steps were, over the gradient's root mean square: starts slowly, at root eps."""
    _decays(rho=rho)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.adadelta, rho=rho, eps=eps), learning_rate=1.0)


@remedy(source="Kingma & Ba 2015, arXiv:1412.6980")
def adam(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Recipe:
    """RMSProp with momentum and bias correction: rescales vanishing gradients until they fall below eps."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.adam, b1=b1, b2=b2, eps=eps), learning_rate=1e-3)


@remedy(source="Kingma & Ba 2015, arXiv:1412.6980, with eps far below its 1e-8")
def adam_small_eps(recipe: Recipe, *, eps: float = 1e-16) -> Recipe:
    """Adam that still rescales gradients of 1e-14: full steps for every layer, along rounding noise if need be."""
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.adam, b1=0.9, b2=0.999, eps=eps), learning_rate=1e-3)


@remedy(source="Loshchilov & Hutter 2019, arXiv:1711.05101")
def adamw(recipe: Recipe, *, weight_decay: float = 1e-4) -> Recipe:
    """Adam whose weight decay is not rescaled: starved layers shrink at a known rate."""
    require(weight_decay >= 0, "weight_decay", weight_decay, "be at least 0")
    return recipe.replace(optimizer=configure(optax.adamw, weight_decay=weight_decay), learning_rate=1e-3)


@remedy(source="Kingma & Ba 2015, arXiv:1412.6980, section 7.1")
def adamax(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Recipe:
    """Adam over the greatest gradient of late: after one large gradient a layer steps less for long."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.adamax, b1=b1, b2=b2, eps=eps), learning_rate=2e-3)


@remedy(source="Dozat 2016, ICLR workshop")
def nadam(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Recipe:
    """Adam with Nesterov's look ahead: the newest gradient counts a little more."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.adam, b1=b1, b2=b2, eps=eps, nesterov=True), learning_rate=1e-3)


@remedy(source="Liu et al. 2020, arXiv:1908.03265")
def radam(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Recipe:
    """Adam that rescales only once it has seen enough: its first steps are momentum's, as large as the gradient."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.radam, b1=b1, b2=b2, eps=eps), learning_rate=1e-3)


@remedy(source="Zhuang et al. 2020, arXiv:2010.07468")
def adabelief(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps_root: float = 1e-16) -> Recipe:
    """Adam over the gradient's surprise: large steps where it is as expected; inert below 3e-7."""
    # Added to the squares at each step, it adds up to eps_root / (1 - b2) under the root, as in the authors' code.
    _decays(b1=b1, b2=b2)
    require_positive(eps_root=eps_root)
    return recipe.replace(optimizer=configure(optax.adabelief, b1=b1, b2=b2, eps_root=eps_root), learning_rate=1e-3)


@remedy(source="Reddi, Kale & Kumar 2018, arXiv:1904.09237")
def amsgrad(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Recipe:
    """Adam whose divisor never falls: a gradient that vanishes during the training is not rescaled again."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.amsgrad, b1=b1, b2=b2, eps=eps), learning_rate=1e-3)


@remedy(source="Zaheer, Reddi, Sachan, Kale & Kumar 2018, NeurIPS 31")
def yogi(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-3) -> Recipe:
    """Adam whose divisor moves by no more than the squared gradient: inert below its large eps."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.yogi, b1=b1, b2=b2, eps=eps), learning_rate=0.01)


@remedy(source="Xie, Zhou, Li, Lin & Yan 2022, arXiv:2208.06677")
def adan(recipe: Recipe, *, b1: float = 0.98, b2: float = 0.92, b3: float = 0.99, eps: float = 1e-8) -> Recipe:
    """Adam with the gradient's change beside it: Nesterov's step without a second gradient; inert below eps."""
    _decays(b1=b1, b2=b2, b3=b3)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optimizers.adan, b1=b1, b2=b2, b3=b3, eps=eps), learning_rate=1e-3)


@remedy(source="Chen et al. 2023, arXiv:2302.06675")
def lion(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.99, weight_decay: float = 0.0) -> Recipe:
    """The sign of momentum: every weight moves by the rate, whatever size the gradient has left."""
    _decays(b1=b1, b2=b2)
    require(weight_decay >= 0, "weight_decay", weight_decay, "be at least 0")
    return recipe.replace(optimizer=configure(optax.lion, b1=b1, b2=b2, weight_decay=weight_decay), learning_rate=1e-4)


@remedy(source="Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, arXiv:1802.04434")
def sign_sgd(recipe: Recipe) -> Recipe:
    """The gradient's sign alone: its size is gone, its noise is not."""
    return recipe.replace(optimizer=optax.sign_sgd, learning_rate=3e-4)


@remedy(source="You et al. 2020, arXiv:1904.00962")
def lamb(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-6) -> Recipe:
    """Adam scaled to each layer's own weights: every layer moves by one share of itself."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.lamb, b1=b1, b2=b2, eps=eps), learning_rate=3e-3)


@remedy(source="You, Gitman & Ginsburg 2017, arXiv:1708.03888")
def lars(recipe: Recipe, *, trust: float = 0.001, momentum: float = 0.9) -> Recipe:
    """SGD scaled to each kernel's own norm: every layer moves by one share of itself, in the gradient's direction."""
    require_positive(trust=trust)
    _decays(momentum=momentum)
    return recipe.replace(optimizer=configure(optimizers.lars, trust=trust, momentum=momentum), learning_rate=1.0)


@remedy(source="Ginsburg et al. 2019, arXiv:1905.11286")
def novograd(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.25, eps: float = 1e-6) -> Recipe:
    """Divides each kernel's and each bias' gradient by its norm of late, then momentum: one divisor to each."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.novograd, b1=b1, b2=b2, eps=eps), learning_rate=0.01)


@remedy(source="Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982")
def muon(recipe: Recipe, *, momentum: float = 0.95, rms: float = 0.2) -> Recipe:
    """Hidden layers step along all directions of their momentum alike, so weak ones are not drowned; Adam elsewhere."""
    _decays(momentum=momentum)
    require_positive(rms=rms)
    return recipe.replace(optimizer=configure(optimizers.muon, momentum=momentum, rms=rms), learning_rate=1e-3)


@remedy(
    source="Gupta, Koren & Singer 2018, arXiv:1802.09568; its length, Anil, Gupta, Koren, Regan & Singer 2020, "
    "arXiv:2002.09018"
)
def shampoo(recipe: Recipe, *, eps: float = 1e-12, interval: int = 10) -> Recipe:
    """Divides by the root of the gradient's spread over rows and columns: weak directions are lifted, down to 1e-6."""
    # A gradient whose norm is far below the root of eps is outweighed by it, and stepped along as it is.
    require(eps >= 1e-18, "eps", eps, "be at least 1e-18, whose square is still above 0 in float32")
    require(interval >= 1, "interval", interval, "be at least 1")
    return recipe.replace(optimizer=configure(shampoo_optimizer, eps=eps, interval=interval), learning_rate=0.01)


@remedy(source="Mishchenko & Defazio 2023, arXiv:2306.06101")
def prodigy(recipe: Recipe, *, initial: float = 1e-6, coefficient: float = 1.0) -> Recipe:
    """Adam that finds its own rate from how far it has come: the rate multiplies what it found."""
    require_positive(initial=initial, coefficient=coefficient)
    made = configure(optax.contrib.prodigy, estim_lr0=initial, estim_lr_coef=coefficient)
    return recipe.replace(optimizer=made, learning_rate=1.0)


@remedy(source="Defazio et al. 2024, arXiv:2405.15682")
def schedule_free(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.999) -> Recipe:
    """Adam's steps averaged, gradients taken near the average and evaluated at it: no rate need fall at the end."""
    require(0 < b1 < 1, "b1", b1, "lie in (0, 1)")
    _decays(b2=b2)
    made = configure(optax.contrib.schedule_free_adamw, b1=b1, b2=b2)
    return recipe.replace(optimizer=made, evaluated_parameters=schedule_free_average, learning_rate=2.5e-3)


@remedy(source="Liu, Li, Hall, Liang & Ma 2023, arXiv:2305.14342")
def sophia(recipe: Recipe, *, b1: float = 0.965, b2: float = 0.99, gamma: float = 0.01, interval: int = 10) -> Recipe:
    """Divides by curvature and clips: long steps where the loss is flat, at a Hessian-vector product every so often."""
    _decays(b1=b1, b2=b2)
    require_positive(gamma=gamma)
    require(interval >= 1, "interval", interval, "be at least 1")
    made = configure(optimizers.sophia, b1=b1, b2=b2, gamma=gamma, interval=interval)
    return recipe.replace(optimizer=made, learning_rate=3e-4)


@remedy(source="Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610")
def lookahead(recipe: Recipe, *, period: int = 5, share: float = 0.5) -> Recipe:
    """Goes back half of every few steps' way: what they went to and fro cancels, what they went along stays."""
    require(period >= 1, "period", period, "be at least 1")
    require(0 < share <= 1, "share", share, "lie in (0, 1]")
    made = configure(wrappers.lookahead, period=period, share=share)
    return recipe.chain(optimizer_wrappers=made).replace(evaluated_parameters=wrappers.slow_weights)


@remedy(source="Taniguchi et al. 2024, arXiv:2411.02853")
def adopt(recipe: Recipe, *, b1: float = 0.9, b2: float = 0.9999, eps: float = 1e-6) -> Recipe:
    """Adam that divides by the squares before this step, then takes momentum: converges at any b2; inert below eps."""
    _decays(b1=b1, b2=b2)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.contrib.adopt, b1=b1, b2=b2, eps=eps), learning_rate=1e-3)


@remedy(source="Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137")
def ademamix(recipe: Recipe, *, b3: float = 0.9999, alpha: float = 5.0) -> Recipe:
    """Adam with a second momentum that forgets only over thousands of steps: a weak, steady direction adds up."""
    _decays(b3=b3)
    require(alpha >= 0, "alpha", alpha, "be at least 0")
    return recipe.replace(optimizer=configure(optax.contrib.ademamix, b3=b3, alpha=alpha), learning_rate=1e-3)


@remedy(source="Defazio & Jelassi 2021, arXiv:2101.11075")
def madgrad(recipe: Recipe, *, momentum: float = 0.9, eps: float = 1e-6) -> Recipe:
    """Averages all gradients and divides by a cube root of their squares: a gradient's size still counts, but less."""
    _decays(momentum=momentum)
    require_positive(eps=eps)
    return recipe.replace(optimizer=configure(optax.contrib.madgrad, momentum=momentum, eps=eps), learning_rate=0.01)


def _decays(**rates: float) -> None:
    for name, rate in rates.items():
        require(0 <= rate < 1, name, rate, "lie in [0, 1)")
