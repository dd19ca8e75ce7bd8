"""Wrappers around an optimizer: `(transformation, learning_rate, steps) -> transformation`.

`learning_rate` is that of the step, `steps` the training's length; both are arrays inside the compiled program.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from vae_jax.optimization.evaluated import EvaluatedParameters, find_state
from vae_jax.optimization.leaves import kernels, scalars
from vae_jax.recipe.configured import Number

Parameters = Any
Optimizer = optax.GradientTransformation
Rate = Number
Steps = Int[Array, ""]


def accumulate(optimizer: Optimizer, learning_rate: Rate, steps: Steps, *, every: int) -> Optimizer:
    """Step once on the mean gradient of so many minibatches in a row."""
    return _multi_steps(optimizer, every)


def grow_batch(optimizer: Optimizer, learning_rate: Rate, steps: Steps, *, factor: int, stages: int) -> Optimizer:
    """Step on the mean gradient of 1 minibatch, then of `factor`, then of `factor` squared, each for an equal share.

    The minibatches seen stay the same, and so do the gradients taken; it is the updates that become fewer.

    Source:
        Smith, Kindermans, Ying & Le 2018, arXiv:1711.00489: the batch grows by what the rate would be divided by.
    """
    sizes = [factor**stage for stage in range(stages)]
    # The updates after which each stage ends: counted in updates, a stage of larger batches is shorter.
    ends, total = [], jnp.zeros((), jnp.int32)
    for size in sizes[:-1]:
        total = total + steps // stages // size
        ends.append(total)

    def every(update: Int[Array, ""]) -> Int[Array, ""]:
        stage = sum((update >= end).astype(jnp.int32) for end in ends) if ends else jnp.zeros((), jnp.int32)
        return jnp.asarray(sizes, jnp.int32)[stage]

    return _multi_steps(optimizer, every)


def skip_non_finite(optimizer: Optimizer, learning_rate: Rate, steps: Steps, *, in_a_row: int) -> Optimizer:
    """Leave out steps whose gradient is not finite, but no more than so many in a row."""
    return optax.apply_if_finite(optimizer, in_a_row)


def reduce_on_plateau(
    optimizer: Optimizer, learning_rate: Rate, steps: Steps, *, divisor: int, patience: int
) -> Optimizer:
    """Divide the updates further each time that the training loss has not improved for a while.

    Args:
        optimizer: What makes the updates.
        learning_rate: Not needed.
        steps: One hundredth of them is what the loss is averaged over before it is looked at.
        divisor: By what. An integer, for optax looks at its inverse before the program runs.
        patience: For how many hundredths of the training.
    """
    reduce = optax.contrib.reduce_on_plateau(1 / divisor, patience, accumulation_size=jnp.maximum(1, steps // 100))
    return optax.chain(optimizer, reduce)


def decay_weights(optimizer: Optimizer, learning_rate: Rate, steps: Steps, *, strength: Number) -> Optimizer:
    """Take learning rate * strength of each kernel off it, past the optimizer's scaling.

    Source:
        Loshchilov & Hutter 2019, arXiv:1711.05101, with the rate inside, as is common.
    """
    return optax.chain(optimizer, optax.add_decayed_weights(-learning_rate * strength, kernels))


def bound_norms(optimizer: Optimizer, learning_rate: Rate, steps: Steps, *, max_norm: Number) -> Optimizer:
    """Scale each unit whose incoming weights exceed a norm after a step back onto it.

    Source:
        Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15, section 5.1.
    """

    def bound(update: Array, parameter: Array, meant: bool) -> Array:
        if not meant:
            return update
        moved = parameter + update
        norm = jnp.sqrt(jnp.sum(moved**2, axis=tuple(range(moved.ndim - 1)), keepdims=True))
        return moved * jnp.where(norm > max_norm, max_norm / jnp.where(norm > 0, norm, 1), 1) - parameter

    def update(updates: Parameters, parameters: Parameters) -> Parameters:
        return jax.tree.map(bound, updates, parameters, kernels(parameters))

    return optax.chain(optimizer, optax.stateless(update))


def slow_scalars(optimizer: Optimizer, learning_rate: Rate, steps: Steps, *, share: Number) -> Optimizer:
    """Move what is one number for a whole layer by a share of what the optimizer says."""
    return optax.chain(optimizer, optax.masked(optax.scale(share), scalars))  # type: ignore


class LookaheadState(NamedTuple):
    """Lookahead's.

    Attributes:
        optimizer_state: The fast optimizer's.
        slow: The slow weights.
        taken: Steps taken.
    """

    optimizer_state: Any
    slow: Parameters
    taken: Int[Array, ""]


def lookahead(optimizer: Optimizer, learning_rate: Rate, steps: Steps, *, period: int, share: Number) -> Optimizer:
    """Every so many steps go back to a share of the way that they led.

    `optax.lookahead` wants pairs of parameters in place of a model's.

    Source:
        Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610, algorithm 1.
    """
    fast = optax.with_extra_args_support(optimizer)

    def init(parameters: Parameters) -> LookaheadState:
        return LookaheadState(fast.init(parameters), parameters, jnp.zeros((), jnp.int32))

    def update(
        gradient: Parameters, state: LookaheadState, params: Parameters = None, **extra: Any
    ) -> tuple[Parameters, LookaheadState]:
        updates, inner = fast.update(gradient, state.optimizer_state, params, **extra)
        count = state.taken + 1
        back = count % period == 0

        def slowed(slow: Array, leaf: Array, step: Array) -> Array:
            return jnp.where(back, slow + share * (leaf + step - slow), slow)

        slow = jax.tree.map(slowed, state.slow, params, updates)
        updates = jax.tree.map(lambda step, leaf, to: jnp.where(back, to - leaf, step), updates, params, slow)
        return updates, LookaheadState(inner, slow, count)

    return optax.GradientTransformationExtraArgs(init, update)  # type: ignore


def slow_weights() -> EvaluatedParameters:
    """Lookahead's slow weights, which are what it is evaluated at."""
    return EvaluatedParameters(
        lambda _: (), lambda *_: (), lambda _, __, optimizer: find_state(LookaheadState, optimizer).slow
    )


def _multi_steps(optimizer: Optimizer, every: Any) -> Optimizer:
    multiple = optax.MultiSteps(optimizer, every)
    return optax.GradientTransformationExtraArgs(multiple.init, multiple.update)  # type: ignore
