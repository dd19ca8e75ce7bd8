"""Twelve networks on real images: no bad word for one that learns, and one for the one that hardly does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import vae_jax
from bench.data.sets.mnist import mnist
from tests.bench.data.real_data import needs_files
from tests.doctor_cases.mnist_networks import NETWORKS, Network, accuracy, loss

BATCH, STEPS, EXAMPLES = 128, 300, 6000
# These are quick to diagnose; the last is the one that hardly learns.
QUICK = ("6 dense 256, ReLU, He", "GRU 64 over 28 rows", "8 dense 256, sigmoid")


@pytest.fixture(autouse=True)
def as_people_run_it():
    """Flax's attention and optax's Adam need the standard rules of promotion."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@functools.cache
def examples():
    train = mnist().train
    images = train["images"][:EXAMPLES].reshape(EXAMPLES, -1) / np.float32(255)
    return jnp.asarray(images), jnp.asarray(train["labels"][:EXAMPLES].astype(np.int32))


def begun(network: Network):
    """The network as a function of parameters and images, and its first parameters; statistics are trained."""
    images, _ = examples()
    variables = dict(jax.jit(network.module.init)(jax.random.key(0), images[:2]))
    parameters = variables.pop("params")

    def apply(parameters, images):
        return network.module.apply({"params": parameters, **variables}, images, mutable=list(variables))[0]

    return apply, parameters


def cases(quick):
    return [pytest.param(each, id=each.name, marks=() if each.name in quick else pytest.mark.long) for each in NETWORKS]


@needs_files
@pytest.mark.parametrize("network", cases(QUICK))
def test_no_network_that_learns_gets_a_bad_word(network):
    images, labels = examples()
    found = vae_jax.diagnose(begun(network), images[:BATCH], loss=lambda logits: loss(logits, labels[:BATCH]))
    assert found.verdict in network.words, found.because


@needs_files
@pytest.mark.long
@pytest.mark.parametrize("network", cases(()))
def test_each_reaches_what_is_said_of_it(network):
    images, labels = examples()
    apply, parameters = begun(network)
    optimizer = optax.adam(1e-3)

    @jax.jit
    def step(parameters, state, images, labels):
        gradient = jax.grad(lambda parameters: loss(apply(parameters, images), labels))(parameters)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, updates), state

    draw, state = np.random.default_rng(0), optimizer.init(parameters)
    for _ in range(STEPS):
        chosen = draw.integers(0, EXAMPLES, BATCH)
        parameters, state = step(parameters, state, images[chosen], labels[chosen])
    reached = float(accuracy(jax.jit(apply)(parameters, images[:2000]), labels[:2000]))
    assert network.least_accuracy <= reached <= network.most_accuracy
