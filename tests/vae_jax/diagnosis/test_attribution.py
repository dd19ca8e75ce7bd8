import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.diagnosis.attribution import Arrived, Blame, arrivals, blame
from vae_jax.diagnosis.chain import KINDS, find_chain
from vae_jax.diagnosis.graph import trace

DEPTH, WIDTH = 10, 16
X = jax.random.normal(jax.random.key(9), (16, WIDTH))
DIRECTION = jax.random.normal(jax.random.key(8), (16, WIDTH))


def orthogonal(seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)


def tower(seed):
    """Orthogonal matrices and biases; `scale` is what a block's output is multiplied by."""
    return [
        {"kernel": jnp.asarray(orthogonal(100 * seed + i)), "bias": jnp.zeros(WIDTH), "scale": jnp.float32(1)}
        for i in range(DEPTH)
    ]


def poisoned(seed, kind):
    """A healthy tower with one block that stops the gradient, and that block's index."""
    layers, index = tower(seed), int(np.random.default_rng(seed).integers(DEPTH))
    sick = dict(layers[index])
    if kind == "saturated":
        sick["bias"] = 20 * jnp.sign(jax.random.normal(jax.random.key(seed), (WIDTH,)))
    elif kind == "half saturated":
        # Slope 1e-5: a gradient that is small, not one that is exactly 0.
        sick["bias"] = jnp.full(WIDTH, 6.0, jnp.float32)
    elif kind == "scaled output":
        sick["scale"] = jnp.float32(1e-4)
    else:
        sick["kernel"] = 1e-4 * sick["kernel"]
    return [sick if place == index else layer for place, layer in enumerate(layers)], index


def plain(layers, x):
    for layer in layers:
        x = layer["scale"] * jnp.tanh(x @ layer["kernel"] + layer["bias"][None])
    return x


def pulled_back(outputs):
    return jnp.sum(outputs * DIRECTION)


@functools.cache
def compiled():
    chain = find_chain(trace(plain, tower(0), X), tower(0))
    return chain, jax.jit(lambda layers: arrivals(chain, pulled_back, layers, X))


@pytest.mark.parametrize("kind", ["saturated", "half saturated", "scaled output", "scaled kernel"])
def test_the_poisoned_block_is_named_wherever_it_is(kind):
    chain, arrive = compiled()
    named, placed = [], []
    for seed in range(20):
        layers, index = poisoned(seed, kind)
        named.append(blame(chain, arrive(layers)).block)
        placed.append(str(index))
    assert named == placed
    assert len(set(placed)) > 5


def test_nobody_is_to_blame_for_a_gradient_that_arrives():
    chain, arrive = compiled()
    for seed in range(5):
        assert blame(chain, arrive(tower(seed))).kind == ""


def test_what_arrives_without_a_block_is_what_a_tower_without_it_would_give():
    """Linear: each block's Jacobian is its matrix, and replacing it leaves the product of the others."""
    layers = [{**layer, "kernel": 1.1 * layer["kernel"] + 0.3 * jnp.eye(WIDTH)} for layer in tower(3)]

    def linear(layers, x):
        for layer in layers:
            x = x @ layer["kernel"]
        return x

    chain = find_chain(trace(linear, layers, X), layers)
    arrived = arrivals(chain, pulled_back, layers, X)
    kernels = [np.asarray(layer["kernel"], np.float64) for layer in layers]

    def norm(without):
        back = np.asarray(DIRECTION, np.float64)
        for index in reversed(range(DEPTH)):
            if index not in without:
                back = back @ kernels[index].T
        return np.linalg.norm(back)

    np.testing.assert_allclose(arrived.untouched, norm(()), rtol=1e-4)
    np.testing.assert_allclose(arrived.end, np.linalg.norm(DIRECTION), rtol=1e-5)
    np.testing.assert_allclose(arrived.blocks, [norm((index,)) for index in range(DEPTH)], rtol=1e-4)
    # Of a linear block the forward map and the backward Jacobian are one matrix.
    np.testing.assert_allclose(arrived.blocks_forward, arrived.blocks, rtol=1e-4)
    np.testing.assert_allclose(arrived.kinds[KINDS.index("matrix")], norm(range(DEPTH)), rtol=1e-4)
    assert np.isnan(arrived.kinds[KINDS.index("activation")])


def test_of_a_tower_in_which_every_block_fades_the_kind_is_named():
    def sigmoids(layers, x):
        for layer in layers:
            x = jax.nn.sigmoid(x @ layer["kernel"])
        return x

    def weak(layers, x):
        for layer in layers:
            x = jnp.tanh(x @ (0.1 * layer["kernel"]))
        return x

    for function, kind in ((sigmoids, "activation"), (weak, "matrix")):
        chain = find_chain(trace(function, tower(1), X), tower(1))
        found = blame(chain, arrivals(chain, pulled_back, tower(1), X))
        assert (found.block, found.kind) == ("", kind)
        assert found.factor > 1e4


def test_a_block_that_explodes_is_named():
    chain, _ = compiled()
    # Inputs so small that every block is linear; the next block brings the signal back to size.
    layers = tower(4)
    layers[5] = {**layers[5], "scale": jnp.float32(1e4)}
    small = jax.jit(lambda layers: arrivals(chain, pulled_back, layers, 1e-6 * X))
    found = blame(chain, small(layers))
    assert found.block == "5"
    np.testing.assert_allclose(found.factor, 1e4, rtol=0.1)


def test_a_kind_that_is_not_there_is_not_to_blame_where_nothing_comes_back():
    chain, _ = compiled()
    nothing, absent = jnp.zeros(len(chain.blocks)), jnp.full(len(chain.blocks), jnp.nan)
    kinds = jnp.asarray([jnp.nan if kind in ("normalization", "recurrence") else 0.0 for kind in KINDS])
    arrived = Arrived(jnp.zeros(()), jnp.ones(()), nothing, absent, jnp.zeros(len(chain.steps)), kinds, kinds)
    assert blame(chain, arrived) == Blame("", "", 1.0)
    # What brings a gradient back where there was none does infinitely much.
    matrix = KINDS.index("matrix")
    arrived = arrived._replace(kinds=kinds.at[matrix].set(1e-9))
    assert blame(chain, arrived) == Blame("", "matrix", np.inf)
