"""Optimizers that optax has the parts of, put together for a model whose first layers and heads are matrices too."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PRNGKeyArray

from vae_jax.optimization.leaves import hidden_kernels, kernels
from vae_jax.recipe.configured import Number

Rate = Number


class RpropState(NamedTuple):
    """Rprop's.

    Attributes:
        sizes: Each entry's step.
        signs: The sign that each entry's gradient had last; 0 where it had turned.
    """

    sizes: Any
    signs: Any


def rprop(learning_rate: Rate, *, shrink: Number, grow: Number) -> optax.GradientTransformation:
    """A step of its own for each entry: longer while the gradient keeps its sign, shorter and left out where it turns.

    `optax.rprop` takes each step one step late.

    Args:
        learning_rate: Of the first step: what each entry's step starts from.
        shrink: By what a step shrinks.
        grow: By what it grows.

    Source:
        Riedmiller & Braun 1993, IEEE International Conference on Neural Networks, with their bounds 1e-6 and 50; no
        way back after a turn, as Igel & Huesken 2003, Neurocomputing 50, and PyTorch.
    """

    def init(parameters: Any) -> RpropState:
        return RpropState(optax.tree.full_like(parameters, learning_rate), optax.tree.zeros_like(parameters))

    def update(gradient: Any, state: RpropState, params: Any = None) -> tuple[Any, RpropState]:
        # Signs, not products of gradients, which underflow where gradients vanish.
        kept = jax.tree.map(lambda slope, sign: jnp.sign(slope) * sign, gradient, state.signs)
        factor = jax.tree.map(lambda same: jnp.where(same > 0, grow, jnp.where(same < 0, shrink, 1.0)), kept)
        sizes = jax.tree.map(lambda size, by: jnp.clip(size * by, 1e-6, 50.0), state.sizes, factor)
        signs = jax.tree.map(lambda slope, same: jnp.where(same < 0, 0.0, jnp.sign(slope)), gradient, kept)
        return jax.tree.map(lambda size, sign: -size * sign, sizes, signs), RpropState(sizes, signs)

    return optax.GradientTransformation(init, update)  # type: ignore


class AdanState(NamedTuple):
    """Adan's.

    Attributes:
        count: Steps taken.
        mean: The gradients' running mean.
        change: The running mean of their changes from step to step.
        square: The running mean of the squares of the gradient looked ahead.
        last: The last gradient.
    """

    count: Any
    mean: Any
    change: Any
    square: Any
    last: Any


def adan(learning_rate: Rate, *, b1: Number, b2: Number, b3: Number, eps: Number) -> optax.GradientTransformation:
    """Adam of the gradient looked ahead, which is itself and b2 of its change since the last step.

    `optax.adan` weighs the change by 1 - b2 as the paper does, whose betas are 1 minus these: by 0.08, where the
    authors' code has 0.92. By default it also adds 1e-8 under the root, and so rescales no gradient below 1e-4.

    Args:
        learning_rate: The rate.
        b1: Decay of the gradients' mean.
        b2: Decay of their changes' mean, and the changes' weight.
        b3: Decay of the squares' mean.
        eps: Added to the root of the squares.

    Source:
        Xie, Zhou, Li, Lin & Yan 2022, arXiv:2208.06677, algorithm 1 without restarts and weight decay, with the bias
        corrections and the eps of the authors' code, github.com/sail-sg/Adan.
    """

    def init(parameters: Any) -> AdanState:
        zeros = optax.tree.zeros_like(parameters)
        return AdanState(jnp.zeros([], jnp.int32), zeros, zeros, zeros, zeros)

    def update(gradient: Any, state: AdanState, params: Any = None) -> tuple[Any, AdanState]:
        # Nothing comes before the first gradient, so it is no change.
        last = optax.tree.where(state.count == 0, gradient, state.last)
        change = optax.tree.sub(gradient, last)
        ahead = optax.tree.add_scale(gradient, b2, change)
        count = state.count + 1
        mean = optax.tree.update_moment(gradient, state.mean, b1, 1)
        changes = optax.tree.update_moment(change, state.change, b2, 1)
        square = optax.tree.update_moment(ahead, state.square, b3, 2)
        direction = optax.tree.add_scale(
            optax.tree.bias_correction(mean, b1, count), b2, optax.tree.bias_correction(changes, b2, count)
        )
        divisor = jax.tree.map(lambda leaf: jnp.sqrt(leaf) + eps, optax.tree.bias_correction(square, b3, count))
        return optax.tree.div(direction, divisor), AdanState(count, mean, changes, square, gradient)

    return optax.chain(
        optax.GradientTransformation(init, update),  # type: ignore
        optax.scale_by_learning_rate(learning_rate),
    )


def muon(learning_rate: Rate, *, momentum: Number, rms: Number) -> optax.GradientTransformation:
    """Orthogonalized momentum for hidden kernels, Adam for all else, at one learning rate.

    Args:
        learning_rate: Of both.
        momentum: beta.
        rms: Root mean square of an entry of an orthogonalized update before the rate: Adam's own.

    Source:
        Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982, section 2.2, for the
        scale that lets both share a rate.
    """

    def labels(parameters: Any) -> Any:
        return jax.tree.map(lambda hidden: "muon" if hidden else "adam", hidden_kernels(parameters))

    # optax's own division is by rank, and what it leaves over goes to NAdam.
    hidden = optax.contrib.muon(learning_rate, beta=momentum, consistent_rms=rms)
    return optax.partition({"muon": hidden, "adam": optax.adam(learning_rate)}, labels)


def lars(learning_rate: Rate, *, trust: Number, momentum: Number) -> optax.GradientTransformation:
    """Each kernel moves by one share of its own norm; a kernel of no norm, and a bias, by that share of its gradient.

    `optax.lars` moves what has no norm by the whole gradient, a thousand times as far.

    Args:
        learning_rate: The rate.
        trust: That share at rate 1.
        momentum: Of the heavy ball.

    Source:
        You, Gitman & Ginsburg 2017, arXiv:1708.03888, algorithm 1, without weight decay.
    """
    return optax.chain(
        optax.masked(optax.scale_by_trust_ratio(), kernels),
        optax.scale(trust),
        optax.scale_by_learning_rate(learning_rate),
        optax.trace(momentum),
    )


def sophia(
    learning_rate: Rate, *, b1: Number, b2: Number, gamma: Number, interval: int
) -> optax.GradientTransformation:
    """Momentum over the diagonal of the Hessian, each entry's step clipped to the rate.

    Args:
        learning_rate: The greatest step of an entry.
        b1: Decay of the momentum.
        b2: Decay of the diagonal.
        gamma: The diagonal's share in the division.
        interval: Steps between two looks at the diagonal, each a Hessian-vector product.

    Source:
        Liu, Li, Hall, Liang & Ma 2023, arXiv:2305.14342, algorithms 1 and 3.
    """
    return optax.contrib.sophia(
        learning_rate, b1=b1, b2=b2, gamma=gamma, weight_decay=0.0, update_interval=interval,
        hessian_diagonal_fn=_hessian_diagonal(),
    )  # fmt: skip


def _hessian_diagonal() -> optax.GradientTransformationExtraArgs:
    """Hutchinson's estimate of the Hessian's diagonal; optax's keeps one key, which all trainings would share."""

    def update(
        gradient: Any, state: optax.EmptyState, params: Any = None, *, value_fn: Any, key: PRNGKeyArray, **extra: Any
    ) -> tuple[Any, optax.EmptyState]:
        signs = optax.tree.random_like(key, params, jax.random.rademacher)
        signs = jax.tree.map(lambda sign, leaf: sign.astype(leaf.dtype), signs, params)
        product = jax.jvp(jax.grad(value_fn), (params,), (signs,))[1]
        return jax.tree.map(jnp.multiply, product, signs), state

    return optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update)  # type: ignore
