"""A model run piece by piece: its own values and gradients, however it is cut, and few programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from vae_jax.diagnosis.layers.chain import find_chain
from vae_jax.diagnosis.tracing.graph import trace
from vae_jax.diagnosis.tracing.passes import Passes

X = jax.random.normal(jax.random.key(0), (6, 5, 8))


class Block(nnx.Module):
    """Attention and a gated layer, each with a skip."""

    def __init__(self, rngs):
        self.norms = nnx.List([nnx.LayerNorm(8, rngs=rngs) for _ in range(2)])
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
        self.layer = nnx.Linear(8, 8, rngs=rngs)

    def __call__(self, x):
        x = x + self.attention(self.norms[0](x))
        return x + nnx.gelu(self.layer(self.norms[1](x)))


class Deep(nnx.Module):
    """Blocks alike, a recurrence and a head."""

    def __init__(self, depth, rngs):
        self.blocks = nnx.List([Block(rngs) for _ in range(depth)])
        self.recurrence = nnx.RNN(nnx.GRUCell(8, 4, rngs=rngs))
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(jnp.asarray(self.recurrence(x))[:, -1])


def passes_of(depth):
    graph, parameters, rest = nnx.split(Deep(depth, nnx.Rngs(0)), nnx.Param, ...)

    def whole(parameters, x):
        outputs = nnx.merge(graph, parameters, rest, copy=True)(x)
        return jnp.mean(outputs**2), outputs

    parameters = nnx.as_pure(parameters)
    traced = trace(whole, parameters, X)
    chain = find_chain(traced, parameters, traced.outputs[1:])
    return whole, parameters, chain, Passes(chain.graph, chain.watched)


@pytest.fixture(scope="module")
def two_deep():
    return passes_of(2)


def test_values_and_gradients_are_the_models_own(two_deep):
    whole, parameters, chain, passes = two_deep
    values = passes.forward(parameters, X)
    loss, outputs = chain.graph.outputs
    (own_loss, own_outputs), own = jax.jit(jax.value_and_grad(whole, has_aux=True))(parameters, X)
    np.testing.assert_allclose(values[loss], own_loss, rtol=1e-6)
    np.testing.assert_allclose(values[outputs], own_outputs, rtol=1e-4, atol=1e-6)
    pulled = passes.backward(values, {loss: jnp.ones(())})
    ours = [pulled.at.get(number, 0) for number in chain.graph.parameters]
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(own))
    for found, leaf in zip(ours, jax.tree.leaves(own), strict=True):
        np.testing.assert_allclose(found, leaf, rtol=1e-4, atol=1e-6 * scale)


def test_a_gradient_in_the_middle_is_that_of_a_tap_there(two_deep):
    _, parameters, chain, passes = two_deep
    loss = chain.graph.outputs[0]
    place = chain.blocks[0].after
    values = passes.forward(parameters, X)

    def tapped(tap):
        return chain.graph.evaluate(parameters, X, {place: lambda values: values[place] + tap})[0][0]

    own = jax.jit(jax.grad(tapped))(jnp.zeros(values[place].shape))
    pulled = passes.backward(values, {loss: jnp.ones(())}, parameters=False)
    np.testing.assert_allclose(pulled.at[place], own, rtol=1e-4, atol=1e-6 * float(jnp.abs(own).max()))
    # Of the recurrence dL/d(state) after each step; what was not asked for is not there.
    (states,) = pulled.states.values()
    assert [state.shape for state in states] == [(5, 6, 4)]
    assert not set(chain.graph.parameters) & set(pulled.at)


def test_what_stands_in_the_place_of_a_value_is_what_follows_reads(two_deep):
    _, parameters, chain, passes = two_deep
    outputs, place = chain.graph.outputs[1], chain.blocks[0].after
    values = passes.forward(parameters, X)
    other = passes.forward(parameters, X, {place: jnp.flip(values[place], axis=0)})
    np.testing.assert_allclose(other[outputs], jnp.flip(values[outputs], axis=0), rtol=1e-5, atol=1e-6)
    by_rule = passes.forward(parameters, X, {place: lambda values: 0 * values[place]})
    assert float(jnp.ptp(by_rule[outputs], axis=0).max()) < 1e-6


def test_a_gradient_that_is_put_aside_ends_or_goes_on_elsewhere(two_deep):
    _, parameters, chain, passes = two_deep
    loss, block = chain.graph.outputs[0], chain.blocks[1]
    values = passes.forward(parameters, X)
    seeds = {loss: jnp.ones(())}
    whole = passes.backward(values, seeds, parameters=False)
    ended = passes.backward(values, seeds, {block.after: None}, parameters=False)
    np.testing.assert_array_equal(ended.at[block.after], whole.at[block.after])
    assert block.before not in ended.at
    through = passes.backward(values, seeds, {block.after: block.before}, parameters=False)
    np.testing.assert_array_equal(through.at[block.before], whole.at[block.after])


def test_what_is_compiled_does_not_grow_with_what_is_alike():
    counts = []
    for depth in (2, 6):
        _, parameters, chain, passes = passes_of(depth)
        values = passes.forward(parameters, X)
        passes.backward(values, {chain.graph.outputs[0]: jnp.ones(())})
        counts.append((passes.programs, len(passes.pieces)))
    assert counts[0][0] == counts[1][0]
    assert counts[1][1] > 2 * counts[0][1]


def test_an_output_that_nothing_arrives_at_adds_no_gradient():
    """Its derivative may be no number: with zeros in its place that would be NaN for all."""

    def whole(w, x):
        h = x @ w
        return jnp.mean(jnp.tanh(h)), jnp.sqrt(h)

    w = jnp.zeros((8, 8))
    graph = trace(whole, w, X[:, 0])
    passes = Passes(graph, graph.outputs)
    pulled = passes.backward(passes.forward(w, X[:, 0]), {graph.outputs[0]: jnp.ones(())})
    assert np.isfinite(pulled.at[graph.parameters[0]]).all()
