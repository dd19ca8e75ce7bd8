"""Transformations of a gradient before the optimizer sees it, where optax does not give it.

Kernels are (inputs, outputs), so a unit's fan-in is a column. The optimizer is always given the extra arguments
`value`, `grad`, `value_fn` (the loss as a function of parameters, on the step's batch and noise) and `key` (the step's
own), of which a transformation takes what it needs.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PRNGKeyArray

from vae_jax.optimization.leaves import below_heads, hidden_kernels, kernels, layer_norms
from vae_jax.recipe.configured import Number

Gradient = Any
Parameters = Any


def centralize() -> optax.GradientTransformation:
    """Take the mean over fan-in off each unit's gradient; `optax.centralize` would do so over the outputs.

    Source:
        Yong, Huang, Hua & Zhang 2020, arXiv:2004.01461, equation 1.
    """

    def centred(gradient: Array) -> Array:
        return (
            gradient - gradient.mean(tuple(range(gradient.ndim - 1)), keepdims=True) if gradient.ndim > 1 else gradient
        )

    return optax.stateless(lambda gradient, _: jax.tree.map(centred, gradient))


def clip_by_layer(*, max_norm: Number) -> optax.GradientTransformation:
    """Scale each layer's gradient, of kernel and bias together, down to a greatest norm."""

    def clip(gradient: Gradient, _: Parameters) -> Gradient:
        return jax.tree.map(
            lambda leaf, norm: jnp.where(norm > max_norm, leaf * (max_norm / norm), leaf),
            gradient,
            layer_norms(gradient),
        )

    return optax.stateless(clip)


def normalize_layers(*, eps: Number) -> optax.GradientTransformation:
    """Divide each layer's gradient, of kernel and bias together, by its norm.

    Source:
        Yu, Lin, Salakhutdinov & Carbonell 2017, arXiv:1707.04822, algorithm 1.
    """

    def normalize(gradient: Gradient, _: Parameters) -> Gradient:
        return jax.tree.map(lambda leaf, norm: leaf / (norm + eps), gradient, layer_norms(gradient))

    return optax.stateless(normalize)


def clip_adaptively(*, clipping: Number, eps: Number) -> optax.GradientTransformation:
    """Scale each unit's gradient down to a greatest share of the unit's own norm; heads are left alone.

    Source:
        Brock, De, Smith & Simonyan 2021, arXiv:2102.06171, equation 3.
    """
    return optax.masked(optax.adaptive_grad_clip(clipping, eps), below_heads)


class NoiseState(NamedTuple):
    """How many gradients had noise added."""

    taken: Int[Array, ""]


def add_noise(*, variance: Number, decay: Number) -> optax.GradientTransformationExtraArgs:
    """Add normal noise of variance `variance` / (1 + t)^`decay` at step t, its own in every training.

    `optax.add_noise` keeps its key beside the recipe, so that all seeds would share one noise.

    Source:
        Neelakantan et al. 2015, arXiv:1511.06807, equation 1.
    """

    def update(
        gradient: Gradient, state: NoiseState, params: Parameters = None, *, key: PRNGKeyArray, **extra: Any
    ) -> tuple[Gradient, NoiseState]:
        deviation = jnp.sqrt(variance / (1.0 + state.taken) ** decay)
        noise = optax.tree.random_like(key, gradient)
        noisy = jax.tree.map(lambda leaf, drawn: leaf + deviation.astype(leaf.dtype) * drawn, gradient, noise)
        return noisy, NoiseState(state.taken + 1)

    return optax.GradientTransformationExtraArgs(lambda _: NoiseState(jnp.zeros((), jnp.int32)), update)  # type: ignore


def penalize_size(*, strength: Number) -> optax.GradientTransformation:
    """Add the gradient of strength * sum |w| over kernels.

    Source:
        Tibshirani 1996, J. R. Statist. Soc. B 58(1).
    """
    return _penalty(lambda kernel: strength * jnp.sign(kernel), kernels)


def penalize_square(*, strength: Number) -> optax.GradientTransformation:
    """Add the gradient of strength / 2 * sum w^2 over kernels.

    Source:
        Krogh & Hertz 1991, NIPS 4.
    """
    return _penalty(lambda kernel: strength * kernel, kernels)


def penalize_correlation(*, strength: Number) -> optax.GradientTransformation:
    """Add the gradient of strength * sum (W^T W - I)^2 over hidden kernels, each of whose columns is a unit.

    Source:
        Brock, Lim, Ritchie & Weston 2017, arXiv:1609.07093, equation 4 with squares, as Bansal, Chen & Wang 2018,
        arXiv:1810.09102, equation 3.
    """

    def slope(kernel: Array) -> Array:
        return 4 * strength * kernel @ (kernel.T @ kernel - jnp.eye(kernel.shape[1], dtype=kernel.dtype))

    return _penalty(slope, hidden_kernels)


def _penalty(slope: Any, applies: Any) -> optax.GradientTransformation:
    def add(gradient: Gradient, parameters: Parameters) -> Gradient:
        return jax.tree.map(
            lambda leaf, weight, meant: leaf + slope(weight) if meant else leaf,
            gradient, parameters, applies(parameters),
        )  # fmt: skip

    return optax.stateless(add)
