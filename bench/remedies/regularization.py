"""Regularization: weights kept small, apart or averaged, and what ends a training early."""

from bench.plugins.remedy import remedy, require
from vae_jax.layers import noise
from vae_jax.optimization import evaluated, transforms, wrappers
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe


@remedy(source="Tibshirani 1996, J. R. Statist. Soc. B 58(1)", idle={"strength": 0.0})
def l1(recipe: Recipe, *, strength: float = 1e-5) -> Recipe:
    """Adds the sign of each weight to its gradient: a layer that hears nothing else ends to and fro around 0."""
    _strength(strength)
    return recipe.chain(gradient_transforms=configure(transforms.penalize_size, strength=strength))


@remedy(source="Krogh & Hertz 1991, NIPS 4", idle={"strength": 0.0})
def l2(recipe: Recipe, *, strength: float = 1e-4) -> Recipe:
    """Adds a share of each weight to its gradient: starved layers shrink, and Adam makes that share a full step."""
    _strength(strength)
    return recipe.chain(gradient_transforms=configure(transforms.penalize_square, strength=strength))


@remedy(source="Loshchilov & Hutter 2019, arXiv:1711.05101", idle={"strength": 0.0})
def decoupled_decay(recipe: Recipe, *, strength: float = 0.01) -> Recipe:
    """Takes a share off each weight past the optimizer: starved layers shrink at a known rate, whatever rescales."""
    _strength(strength)
    return recipe.chain(optimizer_wrappers=configure(wrappers.decay_weights, strength=strength))


@remedy(
    source="Brock, Lim, Ritchie & Weston 2017, arXiv:1609.07093; Bansal, Chen & Wang 2018, arXiv:1810.09102",
    idle={"strength": 0.0},
)
def orthogonality_penalty(recipe: Recipe, *, strength: float = 1e-4) -> Recipe:
    """Pulls W^T W of hidden layers to the identity: they neither shrink nor stretch what comes back."""
    _strength(strength)
    return recipe.chain(gradient_transforms=configure(transforms.penalize_correlation, strength=strength))


@remedy(source="Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15", idle={"limit": 1e30})
def max_norm(recipe: Recipe, *, limit: float = 3.0) -> Recipe:
    """Bounds the norm of the weights into a unit: no sum grows until its sigmoid is flat."""
    require(limit > 0, "limit", limit, "be above 0")
    return recipe.chain(optimizer_wrappers=configure(wrappers.bound_norms, max_norm=limit))


@remedy(source="Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 7.1; Prechelt 1998")
def early_stopping(recipe: Recipe, *, patience: int = 5) -> Recipe:
    """Ends with the parameters that were best on validation: leaves every gradient as it was."""
    require(patience >= 1, "patience", patience, "be at least 1")
    return recipe.replace(selected_parameters=configure(evaluated.best_on_validation, patience=patience))


@remedy(source="Polyak & Juditsky 1992, SIAM J. Control Optim. 30(4)", idle={"decay": 0.0})
def weight_averaging(recipe: Recipe, *, decay: float = 0.99) -> Recipe:
    """Evaluated at a decaying average of its parameters: noise is averaged out of them, no gradient is changed."""
    require(0 <= decay < 1, "decay", decay, "lie in [0, 1)")
    return recipe.replace(evaluated_parameters=configure(evaluated.exponential_average, decay=decay))


@remedy(source="Izmailov et al. 2018, arXiv:1803.05407 (SWA)")
def tail_averaging(recipe: Recipe, *, fraction: float = 0.25) -> Recipe:
    """Evaluated at the plain average over the last share of the training; no gradient is changed."""
    require(0 < fraction <= 1, "fraction", fraction, "lie in (0, 1]")
    return recipe.replace(evaluated_parameters=configure(evaluated.tail_average, fraction=fraction))


@remedy(
    source="Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15; no critical point is left by it: "
    "Schoenholz et al. 2017, arXiv:1611.01232",
    idle={"rate": 0.0},
)
def dropout(recipe: Recipe, *, rate: float = 0.1) -> Recipe:
    """Sets units to zero at random: keeps examples apart, and makes every gradient a sample."""
    require(0 <= rate < 1, "rate", rate, "lie in [0, 1)")
    return recipe.replace(hidden_noise=configure(noise.dropout, rate=rate))


@remedy(source="Im, Ahn, Memisevic & Bengio 2017, arXiv:1511.06406", idle={"standard_deviation": 0.0})
def input_noise(recipe: Recipe, *, standard_deviation: float = 0.1) -> Recipe:
    """Adds noise to what the encoder sees, not to what is reconstructed: a smoother posterior, a noisier gradient."""
    require(standard_deviation >= 0, "standard_deviation", standard_deviation, "be at least 0")
    return recipe.replace(input_noise=configure(noise.gaussian_noise, standard_deviation=standard_deviation))


def _strength(strength: float) -> None:
    require(strength >= 0, "strength", strength, "be at least 0")
