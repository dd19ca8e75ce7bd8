"""Each optimizer at its remedy's defaults, in float64, against PyTorch's of the same name or the paper written out."""

import jax
import numpy as np
import optax
import pytest

from bench.planning.catalogue import load_catalogue
from vae_jax.recipe.recipe import Recipe

REMEDIES = load_catalogue().remedies
RATE = 0.02
START = np.random.default_rng(0).normal(size=(4, 3))
GRADIENTS = np.random.default_rng(1).normal(size=(12, 4, 3))


def ours(name, gradients=GRADIENTS):
    """The parameters after all steps."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        optimizer = REMEDIES[name](Recipe()).optimizer(RATE)
        parameters = jax.numpy.asarray(START)
        state, update = optimizer.init(parameters), jax.jit(optimizer.update)
        for gradient in gradients:
            updates, state = update(gradient, state, parameters)
            parameters = optax.apply_updates(parameters, updates)
        return np.asarray(parameters)


@pytest.mark.parametrize(
    ("name", "theirs", "numbers"),
    [
        ("sgd", "SGD", {}),
        ("momentum", "SGD", {"momentum": 0.9}),
        ("nesterov", "SGD", {"momentum": 0.9, "nesterov": True}),
        ("rprop", "Rprop", {}),
        # PyTorch's default decay is 0.99, the lecture's 0.9.
        ("rmsprop", "RMSprop", {"alpha": 0.9}),
        ("adagrad", "Adagrad", {}),
        ("adadelta", "Adadelta", {}),
        ("adam", "Adam", {}),
        ("adamw", "AdamW", {"weight_decay": 1e-4}),
        ("adamax", "Adamax", {}),
        ("radam", "RAdam", {}),
    ],
)
def test_an_optimizer_agrees_with_pytorchs(name, theirs, numbers):
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.tensor(START))
    optimizer = getattr(torch.optim, theirs)([parameter], lr=RATE, **numbers)
    for gradient in GRADIENTS:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    # Where the epsilon stands, inside or outside a root, is all that differs.
    np.testing.assert_allclose(ours(name), parameter.detach().numpy(), rtol=1e-6, atol=1e-7)


def moments(b1, b2, gradients=GRADIENTS):
    mean = variance = np.zeros_like(START)
    for step, gradient in enumerate(gradients, start=1):
        mean, variance = b1 * mean + (1 - b1) * gradient, b2 * variance + (1 - b2) * gradient**2
        yield step, gradient, mean, variance


def test_nadam_is_adam_with_the_next_momentum():
    """PyTorch's has a schedule of momenta in it; this is Dozat's with one momentum throughout."""
    parameters = START
    for step, gradient, mean, variance in moments(0.9, 0.999):
        ahead = 0.9 * mean / (1 - 0.9 ** (step + 1)) + 0.1 * gradient / (1 - 0.9**step)
        parameters = parameters - RATE * ahead / (np.sqrt(variance / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(ours("nadam"), parameters, rtol=1e-6)


def test_amsgrad_divides_by_the_greatest_so_far():
    """PyTorch takes the greatest before the bias correction, optax after it."""
    parameters, greatest = START, np.zeros_like(START)
    for step, _, mean, variance in moments(0.9, 0.999):
        greatest = np.maximum(greatest, variance / (1 - 0.999**step))
        parameters = parameters - RATE * mean / (1 - 0.9**step) / (np.sqrt(greatest) + 1e-8)
    np.testing.assert_allclose(ours("amsgrad"), parameters, rtol=1e-6)


# Below the floor a step is as small as the gradient over it: this one's entries are below ten times its size.
@pytest.mark.parametrize(("size", "inert"), [(1.0, False), (1e-9, True)])
def test_adabelief_divides_by_the_surprise_down_to_its_floor(size, inert):
    parameters, surprise = START, np.zeros_like(START)
    for step, gradient, mean, _ in moments(0.9, 0.0, size * GRADIENTS):
        surprise = 0.999 * surprise + 0.001 * (gradient - mean) ** 2 + 1e-16
        parameters = parameters - RATE * mean / (1 - 0.9**step) / np.sqrt(surprise / (1 - 0.999**step))
    moved = ours("adabelief", size * GRADIENTS) - START
    np.testing.assert_allclose(moved, parameters - START, rtol=1e-6)
    assert (np.abs(moved).max() < RATE * len(GRADIENTS) * 1e-8 / 3e-7) == inert


@pytest.mark.parametrize("size", [1.0, 1e-13])
def test_adam_with_a_small_eps_takes_the_same_steps_for_any_gradient(size):
    optimizer = REMEDIES["adam_small_eps"](Recipe()).optimizer(RATE)
    with jax.numpy_dtype_promotion("standard"):
        gradient = jax.numpy.asarray(GRADIENTS[0] * size, jax.numpy.float32)
        step = optimizer.update(gradient, optimizer.init(gradient))[0]
    np.testing.assert_allclose(np.asarray(step), -RATE * np.sign(GRADIENTS[0]), rtol=0.05)
