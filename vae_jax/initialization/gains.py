"""Gains that belong to an activation: `(recipe, depth) -> initializer`, for slots that wait for it.

Each raises a ValueError where the unit is more than its activation, as a gated one.
"""

import math
from typing import Any

import scipy.optimize

from vae_jax.initialization import initializers
from vae_jax.initialization.moments import square_moments
from vae_jax.recipe.configured import Configured, configure, made_by

# Beyond this variance no signal is one that a network is started with.
_LARGEST_VARIANCE = 1e4


def signal_preserving(recipe: Any, depth: int) -> Configured:
    """Gaussian weights under which pre-activations of variance 1 keep it: sigma_w^2 = 1 / E[phi(u)^2], u ~ N(0, 1).

    Source:
        Poole et al. 2016, arXiv:1606.05340: q* = 1 is then a fixed point of the length map.
    """
    return _gaussian(1 / square_moments(_elementwise(recipe), 1.0)[0])


def orthogonal_for_activation(recipe: Any, depth: int) -> Configured:
    """Orthogonal weights whose gain makes good what phi takes from a gradient: 1 / sqrt(E[phi'(u)^2]), u ~ N(0, 1)."""
    return configure(
        initializers.orthogonal_for_activation, scale=1 / math.sqrt(square_moments(_elementwise(recipe), 1.0)[1])
    )


def critical_weights(recipe: Any, depth: int, *, variance: float) -> Configured:
    """Gaussian weights on the edge of chaos: see `critical_point`."""
    return _gaussian(critical_point(_elementwise(recipe), variance)[0])


def critical_biases(recipe: Any, depth: int, *, variance: float) -> Configured:
    """The biases that go with them."""
    return configure(
        initializers.hidden_normal, standard_deviation=math.sqrt(critical_point(_elementwise(recipe), variance)[1])
    )


def critical_point(activation: Any, variance: float) -> tuple[float, float]:
    """(sigma_w^2, sigma_b^2) with chi = 1 at a fixed point q* of the length map: the edge of chaos.

    From chi = sigma_w^2 E[phi'(u)^2] = 1 and q* = sigma_w^2 E[phi(u)^2] + sigma_b^2 with u ~ N(0, q*), each q* gives
    one point. Where that asks for less than no bias, q* is raised to where it asks for none.

    Args:
        activation: phi, elementwise.
        variance: q*, above 0.

    Raises:
        ValueError: If there is no such point.

    Source:
        Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, arXiv:1611.01232.
    """

    def point(logarithm: float) -> tuple[float, float]:
        square, slope = square_moments(activation, math.exp(logarithm))
        return 1 / slope, math.exp(logarithm) - square / slope

    lowest = math.log(variance)
    # What rounding leaves of a zero, as for ReLU, whose fixed points all are at (2, 0).
    if point(lowest)[1] < -1e-9 * variance:
        highest = math.log(_LARGEST_VARIANCE)
        if point(highest)[1] < 0:
            name = getattr(activation, "__name__", activation)
            raise ValueError(
                f"{name} has no critical point with a variance from {variance:g} to {_LARGEST_VARIANCE:g}: its "
                "gradient shrinks, or its signal grows, whatever the weights"
            )
        lowest = scipy.optimize.root_scalar(lambda logarithm: point(logarithm)[1], bracket=(lowest, highest)).root
    weights, biases = point(lowest)
    return weights, max(biases, 0.0)


def _elementwise(recipe: Any) -> Any:
    """phi, where it is all that a unit makes of its sums."""
    unit = made_by(recipe.unit)
    if not unit.elementwise:
        raise ValueError(
            f"a gain for an activation is one for units that apply it entry by entry, got {unit.__name__}: "
            "choose weights that do not depend on the activation, as orthogonal"
        )
    return recipe.activation


def _gaussian(scale: float) -> Configured:
    return configure(initializers.gaussian_for_activation, scale=scale)
