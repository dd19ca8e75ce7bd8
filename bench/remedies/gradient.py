"""Gradient treatments: what is done to a gradient before the optimizer sees it."""

import optax

from bench.plugins.remedy import remedy, require, require_positive
from vae_jax.objective import bound
from vae_jax.optimization import transforms, wrappers
from vae_jax.optimization.gradients import sharpness_aware
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe


@remedy(source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063", idle={"max_norm": 1e30})
def clip_by_global_norm(recipe: Recipe, *, max_norm: float = 1.0) -> Recipe:
    """Scales the whole gradient down to a greatest norm: cures explosion, not vanishing; allows larger rates."""
    require_positive(max_norm=max_norm)
    return recipe.chain(gradient_transforms=configure(optax.clip_by_global_norm, max_norm=max_norm))


@remedy(
    source="Mikolov 2012, Statistical Language Models Based on Neural Networks, PhD thesis, Brno", idle={"limit": 1e30}
)
def clip_by_value(recipe: Recipe, *, limit: float = 1.0) -> Recipe:
    """Clips each entry: large entries lose, small ones stay, so layers come closer together and the direction turns."""
    require_positive(limit=limit)
    return recipe.chain(gradient_transforms=configure(optax.clip, max_delta=limit))


@remedy(source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, layer by layer", idle={"max_norm": 1e30})
def clip_by_layer(recipe: Recipe, *, max_norm: float = 1.0) -> Recipe:
    """Scales each layer's gradient down to a greatest norm: one that explodes no longer silences all others."""
    require_positive(max_norm=max_norm)
    return recipe.chain(gradient_transforms=configure(transforms.clip_by_layer, max_norm=max_norm))


@remedy(source="Brock, De, Smith & Simonyan 2021, arXiv:2102.06171", idle={"clipping": 1e30})
def adaptive_gradient_clip(recipe: Recipe, *, clipping: float = 0.01, eps: float = 1e-3) -> Recipe:
    """Scales each unit's gradient down to a share of the unit's own weights: no step can wreck it; not on heads."""
    require_positive(clipping=clipping, eps=eps)
    return recipe.chain(gradient_transforms=configure(transforms.clip_adaptively, clipping=clipping, eps=eps))


@remedy(source="Yong, Huang, Hua & Zhang 2020, arXiv:2004.01461")
def centralisation(recipe: Recipe) -> Recipe:
    """Takes the mean over fan-in off each unit's gradient: what moves a unit as a bias would is left to its bias."""
    return recipe.chain(gradient_transforms=transforms.centralize)


@remedy(source="Yu, Lin, Salakhutdinov & Carbonell 2017, arXiv:1707.04822")
def layer_normalised_gradient(recipe: Recipe, *, eps: float = 1e-8) -> Recipe:
    """Divides each layer's gradient by its norm: every layer moves alike, down to a norm of eps."""
    require_positive(eps=eps)
    return recipe.chain(gradient_transforms=configure(transforms.normalize_layers, eps=eps))


@remedy(source="Neelakantan et al. 2015, arXiv:1511.06807", idle={"variance": 0.0})
def gradient_noise(recipe: Recipe, *, variance: float = 0.01, decay: float = 0.55) -> Recipe:
    """Adds normal noise that fades: where the gradient has vanished the weights wander, and may find a slope."""
    require(variance >= 0, "variance", variance, "be at least 0")
    require(decay >= 0, "decay", decay, "be at least 0")
    return recipe.chain(gradient_transforms=configure(transforms.add_noise, variance=variance, decay=decay))


@remedy(source="Goyal et al. 2017, arXiv:1706.02677, for large batches", idle={"batches": 1})
def accumulation(recipe: Recipe, *, batches: int = 4) -> Recipe:
    """Steps once on the mean of several minibatches: less noise for as many gradients, and fewer steps."""
    require(batches >= 1, "batches", batches, "be at least 1")
    return recipe.chain(optimizer_wrappers=configure(wrappers.accumulate, every=batches))


@remedy(source="Foret, Kleiner, Mobahi & Neyshabur 2021, arXiv:2010.01412", idle={"radius": 0.0})
def sam(recipe: Recipe, *, radius: float = 0.05) -> Recipe:
    """The gradient from a little uphill: flat regions are sought, at two gradients a step."""
    require(radius >= 0, "radius", radius, "be at least 0")
    return recipe.replace(gradient_function=configure(sharpness_aware, radius=radius))


@remedy(source="Micikevicius et al. 2018, arXiv:1710.03740, section 3.2; optax.apply_if_finite")
def skip_non_finite(recipe: Recipe, *, in_a_row: int = 5) -> Recipe:
    """Leaves out steps whose gradient is not finite: its overflow ends no training, the loss's does."""
    require(in_a_row >= 1, "in_a_row", in_a_row, "be at least 1")
    return recipe.chain(optimizer_wrappers=configure(wrappers.skip_non_finite, in_a_row=in_a_row))


@remedy(source="Roeder, Wu & Duvenaud 2017, arXiv:1703.09194")
def sticking_the_landing(recipe: Recipe) -> Recipe:
    """Drops a part of the KL gradient that is 0 on average: the rest has no noise where the posterior is exact."""
    return recipe.replace(kl_estimator=bound.sticking_the_landing)
