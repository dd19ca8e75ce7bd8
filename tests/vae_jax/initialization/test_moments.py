"""Gaussian moments against closed forms and another integrator."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from tests.vae_jax.small_vae import ERF, GELU
from vae_jax.initialization.moments import closed_form, kinks, product_moment, quadrature, square_moments
from vae_jax.recipe.configured import configure
from vae_jax.theory.mean_field import chi, length_map

LEAKY = configure(jax.nn.leaky_relu, negative_slope=0.2)


@pytest.mark.parametrize("activation", [jax.nn.identity, jax.nn.relu, LEAKY, ERF, GELU])
@pytest.mark.parametrize("weight_variance", [1.0, 2.0])
def test_quadrature_agrees_with_the_closed_forms(activation, weight_variance):
    for variance in (1e-6, 0.01, 0.5, 1.0, 7.0, 3000.0):
        closed = closed_form(activation, variance)
        assert closed
        found = quadrature(activation, np.zeros(1), variance)
        np.testing.assert_allclose(found.second[0], closed[0], rtol=1e-10)
        np.testing.assert_allclose(weight_variance * found.slope[0], chi(activation, variance, weight_variance), 1e-10)
        assert length_map(activation, variance, weight_variance, 0.1) == weight_variance * closed[0] + 0.1


NUMPY = {
    jnp.tanh: (np.tanh, lambda u: 1 - np.tanh(u) ** 2),
    jax.nn.sigmoid: (scipy.special.expit, lambda u: scipy.special.expit(u) * scipy.special.expit(-u)),
    jax.nn.elu: (lambda u: np.where(u > 0, u, np.expm1(np.minimum(u, 0))), lambda u: np.exp(np.minimum(u, 0))),
    jax.nn.relu6: (lambda u: np.clip(u, 0, 6), lambda u: 1.0 * (u > 0) * (u < 6)),
    jax.nn.hard_tanh: (lambda u: np.clip(u, -1, 1), lambda u: 1.0 * (np.abs(u) < 1)),
}


@pytest.mark.parametrize("activation", NUMPY)
@pytest.mark.parametrize("variance", [0.02, 1.0, 40.0])
def test_quadrature_agrees_with_an_adaptive_integrator(activation, variance):
    deviation = np.sqrt(variance)
    borders = [-12, *sorted(u / deviation for u in (-1, 0, 1, 6) if u < 12 * deviation), 12]

    def mean_square(function):
        def integrand(z):
            return function(deviation * z) ** 2 * scipy.stats.norm.pdf(z)

        panels = itertools.pairwise(borders)
        return sum(scipy.integrate.quad(integrand, *ends, epsabs=0, epsrel=1e-12)[0] for ends in panels)

    value, slope = NUMPY[activation]
    expected = (mean_square(value), mean_square(slope))
    np.testing.assert_allclose(square_moments(activation, variance), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("activation", "expected"), [(jax.nn.relu6, {0, 6}), (jax.nn.hard_tanh, {-1, 0, 1}), (jnp.tanh, {0}), (LEAKY, {0})]
)
def test_kinks_are_found(activation, expected):
    np.testing.assert_allclose(sorted(kinks(activation)), sorted(expected), atol=1e-12)


def test_the_product_moment_agrees_with_the_arc_cosine_and_arc_sine_kernels():
    for correlation in (-1.0, -0.4, 0.0, 0.5, 0.99, 1 - 1e-6, 1 - 1e-12, 1.0):
        for variance in (0.05, 1.0, 20.0):
            angle = np.arccos(correlation)
            cho_saul = variance / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * correlation)
            williams = 2 / np.pi * np.arcsin(2 * variance * correlation / (1 + 2 * variance))
            for activation, expected in ((jax.nn.relu, cho_saul), (ERF, williams)):
                found = product_moment(activation, variance, correlation)
                np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("variance", [-1.0, np.inf, np.nan])
def test_a_variance_is_not_negative_and_finite(variance):
    for activation in (jax.nn.relu, jnp.tanh):
        with pytest.raises(ValueError, match="a variance must be at least 0 and finite"):
            square_moments(activation, variance)


def test_selus_fixed_point_is_mean_zero_and_variance_one():
    moments = quadrature(jax.nn.selu, np.zeros(1), 1.0)
    assert (float(moments.first[0]), float(moments.second[0])) == pytest.approx((0.0, 1.0), abs=1e-6)
