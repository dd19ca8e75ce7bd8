"""The gradient of the training objective, in float64, against PyTorch and against finite differences."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.small_vae import ARCHITECTURE, DATASET, begin, double, first_step
from vae_jax.layers.blocks import PreActivationResidualBlock, ReZeroBlock
from vae_jax.layers.normalization import batch_norm, layer_norm
from vae_jax.models.batch import Batch
from vae_jax.models.encoder_decoder import TOWERS
from vae_jax.objective.loss import loss, structure
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe

EXAMPLES = 32
STEP = 1e-4
TANH = Recipe().replace(activation=jnp.tanh)
RECIPES = {
    "sigmoid": Recipe(),
    "tanh": TANH,
    "residual": TANH.replace(block=PreActivationResidualBlock, normalization=layer_norm),
    # At alpha 0 the blocks' own gradients are exactly zero.
    "rezero": TANH.replace(block=configure(ReZeroBlock, alpha=0.3)),
    "batch_norm": Recipe().replace(normalization=batch_norm),
}
recipes = pytest.mark.parametrize("name", RECIPES)


class Problem(NamedTuple):
    """One minibatch's objective as a function of the parameters alone, in either precision."""

    value: Any
    gradient: Any
    parameters: Any
    x: np.ndarray
    noise: np.ndarray


@functools.cache
def problem(name):
    state, draw = begin(RECIPES[name]), np.random.default_rng(3)
    # Off the initial point, where biases are 0 and scales 1; in float32, so that both precisions start from one point.
    parameters = jax.tree.map(
        lambda leaf: np.asarray(leaf + 0.1 * draw.normal(size=leaf.shape), np.float32), state.parameters
    )
    x = (draw.random((EXAMPLES, ARCHITECTURE.data)) < DATASET.train[:EXAMPLES]).astype(np.float32)
    noise = draw.normal(size=(EXAMPLES, ARCHITECTURE.latent)).astype(np.float32)
    traced = RECIPES[name].traced()

    def objective(parameters):
        dtype = parameters["encoder"]["input"]["dense"]["kernel"].dtype
        cast = functools.partial(jnp.asarray, dtype=dtype)
        statistics = jax.tree.map(cast, state.statistics)
        centred = x.astype(np.float64) - DATASET.mean
        arrays = (Batch(cast(centred), cast(x)), cast(noise))
        graph = structure(traced, ARCHITECTURE)
        return loss(graph, ARCHITECTURE, parameters, first_step(statistics, traced, *arrays))[0]

    return Problem(jax.jit(objective), jax.jit(jax.grad(objective)), parameters, x, noise)


def kernels(tree, tower):
    return ARCHITECTURE.kernels(tree)[tower]


def in_float64(function, tree):
    """A function of the parameters, computed in float64 there and nowhere else."""
    # Flax's normalizations ask for the wider of float64 and float32, which strict promotion forbids.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        return double(function(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), tree)))


def torch_objective(torch, name, parameters, x, centred, noise):
    """The same objective in PyTorch's own functions."""
    functional, recipe = torch.nn.functional, RECIPES[name]
    activation = {jax.nn.sigmoid: torch.sigmoid, jnp.tanh: torch.tanh}[recipe.activation]

    def linear(layer, h):
        return functional.linear(h, layer["kernel"].T, layer["bias"])

    def normalize(layer, h):
        if name == "batch_norm":
            scale, bias = layer["unit"]["normalization"]["scale"], layer["unit"]["normalization"]["bias"]
            return functional.batch_norm(h, None, None, scale, bias, training=True, eps=1e-5)
        if name == "residual":
            scale, bias = layer["unit"]["normalization"]["scale"], layer["unit"]["normalization"]["bias"]
            return functional.layer_norm(h, h.shape[1:], scale, bias, eps=1e-6)
        return h

    def block(layer, h):
        if name == "residual":
            return h + linear(layer["unit"]["dense"], activation(normalize(layer, h)))
        branch = activation(normalize(layer, linear(layer["unit"]["dense"], h)))
        return h + layer["alpha"] * branch if name == "rezero" else branch

    def tower(layers, h):
        h = activation(normalize({"unit": layers["input"]}, linear(layers["input"]["dense"], h)))
        for index in sorted(layers["blocks"]):
            h = block(layers["blocks"][index], h)
        if name == "residual":
            h = activation(normalize({"unit": {"normalization": layers["final_normalization"]}}, h))
        return linear(layers["head"], h)

    mean, log_var = tower(parameters["encoder"], centred).chunk(2, dim=1)
    logits = tower(parameters["decoder"], mean + torch.exp(log_var / 2) * noise)
    reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    posterior = torch.distributions.Normal(mean, torch.exp(log_var / 2))
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return (reconstruction + torch.distributions.kl_divergence(posterior, prior).sum()) / len(x)


@recipes
def test_the_gradient_is_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch, the independent gradient, is in the extra `peers`")
    given = problem(name)
    parameters = jax.tree.map(lambda leaf: torch.tensor(leaf, requires_grad=True), double(given.parameters))
    x, noise = torch.tensor(np.float64(given.x)), torch.tensor(np.float64(given.noise))
    value = torch_objective(torch, name, parameters, x, x - torch.tensor(DATASET.mean), noise)
    value.backward()
    np.testing.assert_allclose(in_float64(given.value, given.parameters), value.item(), rtol=1e-12)
    found = in_float64(given.gradient, given.parameters)
    expected = jax.tree.map(lambda leaf: leaf.grad.numpy(), parameters)
    for tower in TOWERS:
        for ours, theirs in zip(kernels(found, tower), kernels(expected, tower), strict=True):
            assert np.linalg.norm(ours - theirs) < 1e-7 * np.linalg.norm(theirs)
    # Biases, scales and alphas. A bias before batch normalization has gradient 0 but for rounding.
    jax.tree.map(lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12), found, expected)


@recipes
def test_the_gradient_is_the_slope_along_random_directions(name):
    given, draw = problem(name), np.random.default_rng(4)
    gradient, parameters = in_float64(given.gradient, given.parameters), double(given.parameters)
    for tower in TOWERS:
        for slope, kernel in zip(kernels(gradient, tower), kernels(parameters, tower), strict=True):
            for _ in range(5):
                direction, values = draw.normal(size=kernel.shape), {}
                for offset in (-2, -1, 1, 2):
                    kernel += offset * STEP * direction
                    values[offset] = in_float64(given.value, parameters)
                    kernel -= offset * STEP * direction
                # Fourth order: a step wide enough for rounding leaves the second order's own error above 1e-5.
                difference = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * STEP)
                np.testing.assert_allclose(np.sum(slope * direction), difference, rtol=1e-5)


@recipes
def test_float32_norms_are_those_of_float64(name):
    given = problem(name)
    single, exact = given.gradient(given.parameters), in_float64(given.gradient, given.parameters)
    for tower in TOWERS:
        for ours, theirs in zip(kernels(double(single), tower), kernels(exact, tower), strict=True):
            np.testing.assert_allclose(np.linalg.norm(ours), np.linalg.norm(theirs), rtol=1e-3)
