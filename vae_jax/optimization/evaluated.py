"""Which parameters a training is evaluated at, where they are not those that the next step starts from.

`EvaluatedParameters` says what to evaluate in the middle of a training, `SelectedParameters` which of the parameters
that were evaluated on validation the training ends with. Both keep their state beside the optimizer's, inside the
compiled programs; by default there is none.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from vae_jax.recipe.configured import Number

Parameters = Any
State = Any


class EvaluatedParameters(NamedTuple):
    """The rule by which parameters are evaluated in place of the newest.

    Attributes:
        init: `(parameters) -> state`.
        update: `(state, parameters, step, steps) -> state` after each step; `step` counts it in, `steps` is the
            training's length.
        get: `(state, parameters, optimizer_state) -> parameters` to evaluate.
    """

    init: Callable[[Parameters], State]
    update: Callable[[State, Parameters, Int[Array, ""], Int[Array, ""]], State]
    get: Callable[[State, Parameters, Any], Parameters]


class SelectedParameters(NamedTuple):
    """The rule by which a training ends with some of the evaluated parameters.

    Attributes:
        init: `(parameters) -> state`.
        tell: `(state, parameters, score) -> state` after each evaluation on validation.
        get: `(state, parameters, ended) -> parameters` to evaluate: those given, and where the training has ended those
            that it ends with.
    """

    init: Callable[[Parameters], State]
    tell: Callable[[State, Parameters, Float[Array, ""]], State]
    get: Callable[[State, Parameters, Bool[Array, ""]], Parameters]


def trained_parameters() -> EvaluatedParameters:
    """Those that the next step would start from."""
    return EvaluatedParameters(lambda _: (), lambda *_: (), lambda _, parameters, __: parameters)


def exponential_average(*, decay: Number) -> EvaluatedParameters:
    """A decaying average over the steps so far, without the initial parameters' share.

    Args:
        decay: d: after t steps the parameters of step s weigh (1 - d) d^(t-s) / (1 - d^t).

    Source:
        Polyak & Juditsky 1992, SIAM J. Control Optim. 30(4), for averaging; bias correction as in Kingma & Ba 2015,
        arXiv:1412.6980, section 7.2.
    """

    def share(step: Int[Array, ""], steps: Int[Array, ""]) -> Float[Array, ""]:
        return (1 - decay) / (1 - decay ** step.astype(jnp.float32))

    return _running_average(share)


def tail_average(*, fraction: Number) -> EvaluatedParameters:
    """The plain average over the last share of the training; before it, the parameters as they are.

    Args:
        fraction: That share.

    Source:
        Izmailov et al. 2018, arXiv:1803.05407, with one model to a step.
    """

    def share(step: Int[Array, ""], steps: Int[Array, ""]) -> Float[Array, ""]:
        before = jnp.ceil((1 - fraction) * steps.astype(jnp.float32))
        return 1 / jnp.maximum(1.0, step.astype(jnp.float32) - before)

    return _running_average(share)


def _running_average(share: Callable[..., Float[Array, ""]]) -> EvaluatedParameters:
    def update(average: Parameters, parameters: Parameters, step: Array, steps: Array) -> Parameters:
        new = share(step, steps)
        return jax.tree.map(lambda kept, leaf: kept + new.astype(leaf.dtype) * (leaf - kept), average, parameters)

    return EvaluatedParameters(lambda parameters: parameters, update, lambda average, *_: average)


def schedule_free_average() -> EvaluatedParameters:
    """The average x that a schedule-free optimizer is about, not the point y where it takes its gradients.

    Source:
        Defazio et al. 2024, arXiv:2405.15682, equation 5.
    """

    def get(_: State, parameters: Parameters, optimizer_state: Any) -> Parameters:
        return optax.contrib.schedule_free_eval_params(
            find_state(optax.contrib.ScheduleFreeState, optimizer_state), parameters
        )

    return EvaluatedParameters(lambda _: (), lambda *_: (), get)


def last_selected() -> SelectedParameters:
    """Those of the training's end."""
    return SelectedParameters(lambda _: (), lambda *_: (), lambda _, parameters, __: parameters)


class _Best(NamedTuple):
    parameters: Parameters
    score: Float[Array, ""]
    worse: Int[Array, ""]
    stopped: Bool[Array, ""]


def best_on_validation(*, patience: int) -> SelectedParameters:
    """The best on validation, until so many validations in a row were no better: what comes after counts no more.

    The steps after that are still taken, and what they find is thrown away: programs keep one length.

    Args:
        patience: How many validations in a row.

    Source:
        Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 7.1.
    """

    def init(parameters: Parameters) -> _Best:
        never = jnp.zeros((), jnp.int32)
        return _Best(parameters, jnp.full((), jnp.inf), never, never > 0)

    def tell(best: _Best, parameters: Parameters, score: Float[Array, ""]) -> _Best:
        better = (score < best.score) & ~best.stopped
        worse = jnp.where(better, 0, best.worse + 1)
        return _Best(
            jax.tree.map(lambda new, kept: jnp.where(better, new, kept), parameters, best.parameters),
            jnp.where(better, score, best.score),
            worse,
            best.stopped | (worse >= patience),
        )

    def get(best: _Best, parameters: Parameters, ended: Bool[Array, ""]) -> Parameters:
        return jax.tree.map(lambda kept, now: jnp.where(ended, kept, now), best.parameters, parameters)

    return SelectedParameters(init, tell, get)


def find_state(kind: type, optimizer_state: Any) -> Any:
    """The one state of a kind inside an optimizer's, however it was wrapped."""
    leaves = jax.tree.leaves(optimizer_state, is_leaf=lambda node: isinstance(node, kind))
    (found,) = [leaf for leaf in leaves if isinstance(leaf, kind)]
    return found
