"""The weights of a loss's parts, found from its gradients: right in every way in which people reduce."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import vae_jax
from vae_jax.diagnosis.diagnosis import Diagnosis

BATCH, PIXELS, LATENT = 16, 36, 4
X = jax.random.uniform(jax.random.key(0), (BATCH, PIXELS))
KERNELS = {
    "encoder": jax.random.normal(jax.random.key(1), (PIXELS, 12)) / 6,
    "mean": jax.random.normal(jax.random.key(2), (12, LATENT)) / 3,
    "log_var": jax.random.normal(jax.random.key(3), (12, LATENT)) / 6,
    "decoder": jax.random.normal(jax.random.key(4), (LATENT, 12)) / 2,
    "out": jax.random.normal(jax.random.key(5), (12, PIXELS)) / 3,
}
WAYS = {"sum": jnp.sum, "mean": jnp.mean}


def apply(kernels, x, key):
    h = jnp.tanh(x @ kernels["encoder"])
    mean, log_var = h @ kernels["mean"], h @ kernels["log_var"]
    z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
    return jnp.tanh(z @ kernels["decoder"]) @ kernels["out"], mean, log_var


def parts_of(likelihood, pixels, units, examples, units_over_examples, weight=1.0):
    def loss(outputs, x):
        y, mean, log_var = outputs
        lost = optax.sigmoid_binary_cross_entropy(y, x) if likelihood == "Bernoulli" else (y - x) ** 2
        divergence = 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var)
        reconstruction = WAYS[examples](WAYS[pixels](lost, -1))
        return reconstruction + weight * WAYS[units_over_examples](WAYS[units](divergence, -1))

    return loss


@functools.cache
def found(*ways, weight=1.0) -> Diagnosis:
    return vae_jax.diagnose((apply, KERNELS), X, loss=parts_of(*ways, weight=weight))


EACH = list(itertools.product(("Bernoulli", "Gaussian"), *[("sum", "mean")] * 4))


@pytest.mark.parametrize("ways", EACH, ids=["-".join(ways) for ways in EACH])
def test_beta_is_right_in_every_way_to_reduce(ways):
    """Against the weights that follow from the way by hand: a bound gives one pixel and one unit the same."""
    likelihood, pixels, units, examples, units_over_examples = ways
    pixel = 1 / (PIXELS if pixels == "mean" else 1) / (BATCH if examples == "mean" else 1)
    unit = 1 / (LATENT if units == "mean" else 1) / (BATCH if units_over_examples == "mean" else 1)
    read = found(*ways).reduction
    assert read is not None
    np.testing.assert_allclose(read.beta, unit / pixel, rtol=0.01)
    np.testing.assert_allclose(read.pixel, pixel * (2 if likelihood == "Gaussian" else 1), rtol=0.01)
    np.testing.assert_allclose(read.unit, unit, rtol=0.01)
    assert (read.pixels, read.units) == tuple("summed" if way == "sum" else "averaged" for way in (pixels, units))
    assert read.squared == (likelihood == "Gaussian")
    if likelihood == "Gaussian":
        assert read.variance is not None
        np.testing.assert_allclose(read.variance, unit / (2 * pixel), rtol=0.01)


def test_a_weight_of_the_persons_own_is_found_and_called_no_reduction():
    read = found("Bernoulli", "sum", "sum", "mean", "mean", weight=0.3).reduction
    assert read is not None
    np.testing.assert_allclose(read.beta, 0.3, rtol=0.01)
    assert (read.pixels, read.units) == ("summed", "")


def test_the_divergence_and_the_plateau_are_those_of_numpy():
    seen = found("Bernoulli", "sum", "sum", "mean", "mean")
    (use,) = seen.uses
    h = np.tanh(np.asarray(X, np.float64) @ np.asarray(KERNELS["encoder"]))
    mean, log_var = h @ np.asarray(KERNELS["mean"]), h @ np.asarray(KERNELS["log_var"])
    by_unit = (0.5 * (np.exp(log_var) + mean**2 - 1 - log_var)).mean(axis=0)
    np.testing.assert_allclose(use.kl_by_unit, by_unit, rtol=1e-4)
    assert use.active == (mean.var(axis=0) > 0.01).sum()
    x = np.asarray(X, np.float64)
    p = x.mean(axis=0)
    assert seen.plateau is not None
    np.testing.assert_allclose(seen.plateau.nats, -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(-1).mean(), rtol=1e-4)
    np.testing.assert_allclose(seen.plateau.own, seen.value - use.kl_nats, rtol=1e-4)
    np.testing.assert_allclose(use.nats["its own"], seen.plateau.own, rtol=1e-6)


def test_free_bits_are_told_by_the_share_of_units_without_a_gradient():
    def floored(outputs, x):
        y, mean, log_var = outputs
        divergence = (0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var)).mean(0)
        return jnp.mean(jnp.sum((y - x) ** 2, -1)) + jnp.sum(jnp.maximum(divergence, floor))

    by_unit = found("Bernoulli", "sum", "sum", "mean", "mean").uses[0].kl_by_unit
    floor = float(np.sort(by_unit)[1:3].mean())
    seen = vae_jax.diagnose((apply, KERNELS), X, loss=floored)
    assert seen.free_bits == 0.5
    assert found("Bernoulli", "sum", "sum", "mean", "mean").free_bits == 0.0
