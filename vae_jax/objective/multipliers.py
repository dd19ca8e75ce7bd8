"""Treatments with a memory: a weight that moves from step to step until a constraint holds."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from vae_jax.objective.bound import total_kl
from vae_jax.objective.treatment import ObjectiveView, Paths, Treatment
from vae_jax.recipe.configured import Number


class ReconstructionConstraint(NamedTuple):
    """Of `geco`, after the steps taken.

    Attributes:
        log_multiplier: Logarithm of the reconstruction's weight.
        average: Moving average of reconstruction - nats.
        begun: Whether there has been a step: the average starts at the first constraint, not at 0.
    """

    log_multiplier: Float[Array, ""]
    average: Float[Array, ""]
    begun: Bool[Array, ""]


def geco(*, nats: Number, decay: Number, rate: Number, largest: Number) -> Treatment:
    """KL + multiplier (reconstruction - nats): the least KL at which the reconstruction costs at most `nats`.

    Each step multiplies the multiplier, 1 at first, by exp(rate constraint), where the constraint's value is its moving
    average and its gradient the minibatch's.

    Args:
        nats: What the reconstruction may cost.
        decay: Of the moving average, in [0, 1).
        rate: Of the multiplier, per nat and step; above 0.
        largest: The multiplier stays within [1 / largest, largest]. The paper has no such bound; without one a
            constraint that cannot be met ends in an overflow.

    Source:
        Rezende & Viola 2018, arXiv:1810.00597, algorithm 1.
    """

    def init() -> ReconstructionConstraint:
        return ReconstructionConstraint(jnp.zeros(()), jnp.zeros(()), jnp.zeros((), bool))

    def apply(state: ReconstructionConstraint, view: ObjectiveView) -> tuple[Paths, ReconstructionConstraint]:
        constraint = view.reconstruction - nats
        now = jax.lax.stop_gradient(constraint)
        average = jnp.where(state.begun, decay * state.average + (1 - decay) * now, now)
        corrected = constraint + (average - now)
        paths = (jnp.exp(state.log_multiplier) * corrected, view.weight * total_kl(view.kl_units))
        bound = jnp.log(largest)
        log_multiplier = jnp.clip(state.log_multiplier + rate * average, -bound, bound)
        return paths, ReconstructionConstraint(log_multiplier, average, jnp.ones((), bool))

    return Treatment(init, apply)


def minimum_desired_rate(*, nats: Number, rate: Number) -> Treatment:
    """KL + multiplier (nats - KL), the multiplier at least 0: presses no harder than a KL of `nats` allows.

    The multiplier, 0 at first, climbs by `rate` (nats - KL) a step; above 1 it pushes the KL term up.

    Args:
        nats: The least KL that is desired.
        rate: Of the multiplier, per nat and step; above 0.

    Source:
        Pelsmaeker & Aziz 2020, arXiv:1904.08194, with plain gradient ascent for the multiplier's own optimizer.
    """

    def apply(multiplier: Float[Array, ""], view: ObjectiveView) -> tuple[Paths, Float[Array, ""]]:
        kl = total_kl(view.kl_units)
        missing = nats - kl
        paths = (view.reconstruction, view.weight * (kl + multiplier * missing))
        return paths, jnp.maximum(multiplier + rate * jax.lax.stop_gradient(missing), 0.0)

    return Treatment(lambda: jnp.zeros(()), apply)


def soft_free_bits(*, nats: Number, tolerance: Number, factor: Number) -> Treatment:
    """A KL weight, 1 at first and at most, that sinks while KL < nats and rises while KL > (1 + tolerance) nats.

    Unlike under free bits the KL gradient is never cut off, it is turned down.

    Args:
        nats: The KL to be kept, of all units together.
        tolerance: By how much it may lie above before the weight rises; at least 0.
        factor: By which the weight is divided or multiplied in a step; above 1.

    Source:
        Chen et al. 2017, "Variational lossy autoencoder", arXiv:1611.02731.
    """

    def apply(log_weight: Float[Array, ""], view: ObjectiveView) -> tuple[Paths, Float[Array, ""]]:
        kl = total_kl(view.kl_units)
        paths = (view.reconstruction, view.weight * jnp.exp(log_weight) * kl)
        now = jax.lax.stop_gradient(kl)
        direction = (now > (1 + tolerance) * nats).astype(now.dtype) - (now < nats).astype(now.dtype)
        # Below this weight there is no pressure left to speak of, and the way back would be long.
        return paths, jnp.clip(log_weight + direction * jnp.log(factor), jnp.log(_LEAST_WEIGHT), 0.0)

    return Treatment(lambda: jnp.zeros(()), apply)


_LEAST_WEIGHT = 1e-3
