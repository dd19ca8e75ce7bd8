import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.diagnosis.layers.attribution import (
    NOBODY,
    Arrival,
    Blame,
    TooLongError,
    blame,
    block_factors,
    kind_factors,
)
from vae_jax.diagnosis.layers.chain import find_chain
from vae_jax.diagnosis.tracing.graph import trace
from vae_jax.diagnosis.tracing.passes import Passes

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


def passes_of(function, layers, x):
    """The chain and the passes of a function's outputs pulled back along a fixed direction."""
    graph = trace(lambda layers, x: (pulled_back(outputs := function(layers, x)), outputs), layers, x)
    chain = find_chain(graph, layers, graph.outputs[1:])
    return chain, Passes(chain.graph, chain.watched)


def arrival(chain, passes, layers, x=X):
    values = passes.forward(layers, x)
    loss = chain.graph.outputs[0]
    return Arrival(chain, passes, values, {loss: jnp.ones_like(values[loss])})


def blamed(chain, passes, layers, x=X):
    came = arrival(chain, passes, layers, x)
    return blame(came, block_factors(came), kind_factors(came))


@functools.cache
def of_plain():
    return passes_of(plain, tower(0), X)


@pytest.mark.parametrize("kind", ["saturated", "half saturated", "scaled output", "scaled kernel"])
def test_the_poisoned_block_is_named_wherever_it_is(kind):
    named, placed = [], []
    for seed in range(20):
        layers, index = poisoned(seed, kind)
        named.append(blamed(*of_plain(), layers).block)
        placed.append(str(index))
    assert named == placed
    assert len(set(placed)) > 5


def test_nobody_is_to_blame_for_a_gradient_that_arrives():
    for seed in range(5):
        assert blamed(*of_plain(), tower(seed)).kind == ""


def test_what_arrives_without_a_block_is_what_a_tower_without_it_would_give():
    """Linear: each block's Jacobian is its matrix, and replacing it leaves the product of the others."""
    layers = [{**layer, "kernel": 1.1 * layer["kernel"] + 0.3 * jnp.eye(WIDTH)} for layer in tower(3)]

    def linear(layers, x):
        for layer in layers:
            x = x @ layer["kernel"]
        return x

    came = arrival(*passes_of(linear, layers, X), layers)
    kernels = [np.asarray(layer["kernel"], np.float64) for layer in layers]

    def norm(without):
        back = np.asarray(DIRECTION, np.float64)
        for index in reversed(range(DEPTH)):
            if index not in without:
                back = back @ kernels[index].T
        return np.linalg.norm(back)

    np.testing.assert_allclose(came.untouched, norm(()), rtol=1e-4)
    np.testing.assert_allclose(came.end, np.linalg.norm(DIRECTION), rtol=1e-5)
    factors = [factor * came.untouched for factor in block_factors(came) if factor is not None]
    np.testing.assert_allclose(factors, [norm((index,)) for index in range(DEPTH)], rtol=1e-4)
    kinds = kind_factors(came)
    np.testing.assert_allclose(kinds["matrix"] * came.untouched, norm(range(DEPTH)), rtol=1e-4)
    assert set(kinds) == {"matrix"}


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
        found = blamed(*passes_of(function, tower(1), X), tower(1))
        assert (found.block, found.kind) == ("", kind)
        assert found.factor > 1e4


def test_a_block_that_explodes_is_named():
    # Inputs so small that every block is linear; the next block brings the signal back to size.
    layers = tower(4)
    layers[5] = {**layers[5], "scale": jnp.float32(1e4)}
    found = blamed(*of_plain(), layers, 1e-6 * X)
    assert found.block == "5"
    np.testing.assert_allclose(found.factor, 1e4, rtol=0.1)


def test_what_brings_a_gradient_back_where_there_was_none_does_infinitely_much():
    layers = [{**layer, "scale": jnp.float32(0)} for layer in tower(2)]
    came = arrival(*of_plain(), layers)
    assert came.untouched == 0
    # Nothing over nothing.
    nothing = [1.0] * DEPTH
    assert block_factors(came) == nothing
    assert blame(came, nothing, {"matrix": 1.0, "activation": 1.0}) == NOBODY
    assert blame(came, nothing, {"matrix": np.inf, "activation": 1.0}) == Blame("", "matrix", np.inf)


def test_what_would_take_too_long_is_not_begun():
    with pytest.raises(TooLongError):
        block_factors(arrival(*of_plain(), tower(0)), most_seconds=0.0)


def test_replacing_costs_no_compilation_of_the_whole():
    """Ten blocks alike are one piece to compile, forward and backward each, whatever is replaced."""
    chain, passes = passes_of(plain, tower(0), X)
    came = arrival(chain, passes, tower(0))
    block_factors(came)
    kind_factors(came)
    kinds = {piece.key for piece in passes.pieces}
    assert len(kinds) < 8 < len(passes.pieces)
    # Of each piece the forward pass, and the backward one with or without what a gradient aside leaves unread.
    assert passes.programs <= 4 * len(kinds)
