"""Gaussian moments of an activation: what its values and slopes are on average over normal pre-activations.

In float64 and on the host: closed forms where there is one, elsewhere Gauss-Legendre panels whose borders crowd around
the activation's kinks. A rule that ignores a kink is wrong in the third digit for ReLU.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vae_jax.recipe.configured import Configured

Activation = Callable[[jax.Array], jax.Array]
Values = Float[np.ndarray, "*points"]

# Standard deviations beyond which a normal density adds nothing to a double: 1e-22 at 10.
_REACH = 10.0
# Panels short enough for a normal density, and panels four times shorter each towards a kink: 16 nodes then give 1e-15
# on either, however narrow a feature at the kink is.
_BROAD = np.array([-10.0, -7.0, -5.0, -3.5, -2.0, -1.0, 0.0, 1.0, 2.0, 3.5, 5.0, 7.0, 10.0])
_NARROW = np.concatenate([[0.0], *((-_REACH / 4**j, _REACH / 4**j) for j in range(1, 11))])
# Points that an activation is asked for at once: as many, or a multiple of so many.
_FEW, _MANY = 2**10, 2**16
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


class Moments(NamedTuple):
    """Averages over u ~ N(mean, variance): of phi(u), of phi(u)^2 and of phi'(u)^2."""

    first: Values
    second: Values
    slope: Values


def square_moments(activation: Activation, variance: float) -> tuple[float, float]:
    """E[phi(u)^2] and E[phi'(u)^2] for u ~ N(0, variance).

    The first is the mean square after an activation, the second the factor of a gradient's mean square that passes it.

    Args:
        activation: phi, elementwise.
        variance: q, of the pre-activations; at least 0.

    Raises:
        ValueError: If the variance is negative or not finite.
    """
    closed = closed_form(activation, variance)
    if closed:
        return closed
    moments = quadrature(activation, np.zeros(1), variance)
    return float(moments.second[0]), float(moments.slope[0])


def product_moment(activation: Activation, variance: float, correlation: float) -> float:
    """E[phi(u1) phi(u2)] for two pre-activations of one variance: what two examples have in common after an activation.

    Args:
        activation: phi, elementwise.
        variance: Of u1 and of u2; at least 0.
        correlation: Between u1 and u2; from -1 to 1, and cut to that where rounding has carried it beyond.

    Raises:
        ValueError: If the variance is negative or not finite.
    """
    correlation = min(1.0, max(-1.0, correlation))
    first, weights = normal_rule(activation, np.zeros(1), variance)
    # The second, given the first.
    second, given = normal_rule(activation, correlation * first[0], variance * (1 - correlation) * (1 + correlation))
    expected = np.sum(given * evaluate(activation, second), axis=1)
    return float(np.sum(weights * evaluate(activation, first) * expected))


def quadrature(activation: Activation, mean: Float[np.ndarray, " rows"], variance: float) -> Moments:
    """All moments for u ~ N(mean, variance), for many means at once, by quadrature.

    Args:
        activation: phi, elementwise.
        mean: Means.
        variance: One variance for all of them; at least 0.

    Raises:
        ValueError: If the variance is negative or not finite.
    """
    u, weights = normal_rule(activation, mean, variance)
    value, slope = differentiate(activation, u)
    return Moments(*(np.sum(weights * f, axis=1) for f in (value, value**2, slope**2)))


def normal_rule(
    activation: Activation, mean: Float[np.ndarray, " rows"], variance: float
) -> tuple[Float[np.ndarray, "rows nodes"], Float[np.ndarray, "rows nodes"]]:
    """Nodes and weights whose weighted sum is an average over N(mean, variance), split at the activation's kinks.

    Args:
        activation: phi, whose kinks the panels' borders lie on.
        mean: Means.
        variance: One variance for all of them; at least 0.

    Raises:
        ValueError: If the variance is negative or not finite.
    """
    _require_variance(variance)
    if variance == 0:
        return mean[:, None], np.ones((len(mean), 1))
    deviation = np.sqrt(variance)
    centres = (np.asarray(kinks(activation)) - mean[:, None]) / deviation
    narrow = (centres[:, :, None] + _NARROW).reshape(len(mean), -1)
    broad = np.broadcast_to(_BROAD, (len(mean), len(_BROAD)))
    borders = np.sort(np.clip(np.concatenate([broad, narrow], axis=1), -_REACH, _REACH), axis=1)
    half = np.diff(borders, axis=1)[:, :, None] / 2
    z = (borders[:, :-1, None] + half * (1 + _NODES)).reshape(len(mean), -1)
    weights = (half * _WEIGHTS).reshape(len(mean), -1) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return mean[:, None] + deviation * z, weights


def evaluate(activation: Activation, u: Values) -> Values:
    """phi(u) in float64, whatever the process computes in.

    Args:
        activation: phi, elementwise.
        u: Pre-activations.
    """
    with jax.enable_x64(True):
        return _back(activation(_of_few_sizes(u)), u)


def differentiate(activation: Activation, u: Values) -> tuple[Values, Values]:
    """phi(u) and phi'(u) in float64, whatever the process computes in.

    Args:
        activation: phi, elementwise.
        u: Pre-activations.
    """
    with jax.enable_x64(True):
        # Backwards: custom gradients may be defined for that direction alone.
        value, backward = jax.vjp(activation, _of_few_sizes(u))
        return _back(value, u), _back(backward(jnp.ones_like(value))[0], u)


def _of_few_sizes(u: Values) -> jax.Array:
    """All points in a row, and zeros: every operation is compiled for each size, which takes longer than to run it."""
    whole = _FEW if u.size <= _FEW else -(-u.size // _MANY) * _MANY
    return jnp.asarray(np.concatenate([u.reshape(-1), np.zeros(whole - u.size)]), jnp.float64)


def _back(values: jax.Array, u: Values) -> Values:
    return np.asarray(values)[: u.size].reshape(u.shape)


def kinks(activation: Activation) -> tuple[float, ...]:
    """Where an activation's slope jumps within -10 and 10, found by bisection, and 0 in any case.

    At 0 the second derivatives of ELU and its like jump, which the slope does not show.

    Args:
        activation: phi, elementwise.
    """
    if isinstance(activation, Configured):
        return _kinks(activation.function, tuple(activation.parameters.items()))
    return _kinks(activation, ())


# A tower asks this of the same activation once for every layer.
@functools.cache
def _kinks(function: Callable[..., jax.Array], parameters: tuple[tuple[str, object], ...]) -> tuple[float, ...]:
    def slope(u: Values) -> Values:
        return differentiate(functools.partial(function, **dict(parameters)), u)[1]

    # Off the round numbers, so that a kink lies within an interval and not on its border.
    borders = np.linspace(-_REACH, _REACH, 641) + 1e-3 * np.pi
    left, right = borders[:-1], borders[1:]
    left_slope, right_slope = slope(left), slope(right)
    largest = np.max(np.abs(left_slope))
    for _ in range(40):
        middle = (left + right) / 2
        middle_slope = slope(middle)
        on_left = np.abs(middle_slope - left_slope) > np.abs(right_slope - middle_slope)
        left, left_slope = np.where(on_left, left, middle), np.where(on_left, left_slope, middle_slope)
        right, right_slope = np.where(on_left, middle, right), np.where(on_left, middle_slope, right_slope)
    jumps = np.abs(right_slope - left_slope) > 1e-6 * largest
    return (0.0, *(float(kink) for kink in right[jumps] if abs(kink) > 1e-9))


def closed_form(activation: Activation, variance: float) -> tuple[float, float] | None:
    """E[phi(u)^2] and E[phi'(u)^2] for u ~ N(0, variance) in closed form, or None where there is none here.

    Args:
        activation: phi, elementwise.
        variance: q, of the pre-activations; at least 0.

    Raises:
        ValueError: If the variance is negative or not finite.

    Source:
        ReLU: Cho & Saul 2009. erf: Williams 1997. GELU: google/neural-tangents, elementwise.py.
    """
    _require_variance(variance)
    q, (function, parameters) = variance, (activation, {})
    if isinstance(activation, Configured):
        function, parameters = activation.function, activation.parameters
    if function is jax.nn.identity:
        return q, 1.0
    if function in (jax.nn.relu, jax.nn.leaky_relu):
        slope = parameters.get("negative_slope", 0.01) if function is jax.nn.leaky_relu else 0.0
        return q * (1 + slope**2) / 2, (1 + slope**2) / 2
    if function in (jax.lax.erf, jax.scipy.special.erf):
        return 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q)), 4 / np.pi / np.sqrt(1 + 4 * q)
    if function is jax.nn.gelu and not parameters.get("approximate", True):
        root = np.sqrt(1 + 2 * q)
        angle = np.arctan2(q, root)
        second = q * (0.25 + (q / ((1 + q) * root) + angle / 2) / np.pi)
        slope = q / (2 * np.pi * root) * (1 / root**2 + (1 - q**2) / (1 + q) ** 2 + 1)
        return second, 0.25 + angle / (2 * np.pi) + slope
    return None


def _require_variance(variance: float) -> None:
    if not 0 <= variance < np.inf:
        raise ValueError(f"a variance must be at least 0 and finite, got {variance}: has the signal overflowed?")
