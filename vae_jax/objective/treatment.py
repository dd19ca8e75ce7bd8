"""The contract of a treatment of the KL term, and the one that does nothing."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.objective.bound import total_kl

Nats = Float[Array, ""]
Paths = tuple[Nats, Nats]


class ObjectiveView(NamedTuple):
    """One training step's bound, as a treatment sees it.

    Attributes:
        reconstruction: Minus the log-likelihood, in nats, averaged over the batch.
        kl_units: The KL term of every example and latent unit, in nats, as the recipe's `kl_estimator` gives it.
        z: The draws.
        weight: The step's KL weight, from the schedules.
        key: The step's own.
        progress: Steps taken over the training's length, in [0, 1].
    """

    reconstruction: Nats
    kl_units: Float[Array, "batch latent"]
    z: Float[Array, "batch latent"]
    weight: Float[Array, ""]
    key: PRNGKeyArray
    progress: Float[Array, ""]


class Treatment(NamedTuple):
    """The bound's two parts as the training objective has them: a pair of pure functions, as in optax.

    Attributes:
        init: `() -> state` before the first step.
        apply: `(state, view) -> (paths, state)`: the reconstruction's path and the KL term's, in nats, whose sum is
            the loss. Each is differentiated by itself where the gradient's paths are told apart.
    """

    init: Callable[[], Any]
    apply: Callable[[Any, ObjectiveView], tuple[Paths, Any]]


def stateless(kl_path: Callable[[ObjectiveView], Nats]) -> Treatment:
    """A treatment that changes the KL term's path only, and remembers nothing."""
    return Treatment(tuple, lambda state, view: ((view.reconstruction, kl_path(view)), state))


def weighted_kl() -> Treatment:
    """The plain bound, its KL term weighted by the schedules."""
    return stateless(lambda view: view.weight * total_kl(view.kl_units))
