import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from vae_jax.diagnosis.layers.chain import find_chain
from vae_jax.diagnosis.tracing.graph import ThroughTime, trace

X = jax.random.normal(jax.random.key(0), (6, 5, 8))


class Everything(nnx.Module):
    """Convolution, normalization with batch statistics, dropout, a scanned stack, attention and a recurrence."""

    def __init__(self, rngs):
        self.convolution = nnx.Conv(8, 8, (3,), rngs=rngs)
        self.normalization = nnx.BatchNorm(8, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
        self.stack = nnx.Param(jax.random.normal(rngs(), (3, 8, 8)) / 3)
        self.recurrence = nnx.RNN(nnx.GRUCell(8, 4, rngs=rngs))
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.normalization(self.convolution(x)))
        x = x + self.attention(x)
        x = jax.lax.scan(lambda h, kernel: (jax.nn.silu(h @ kernel), None), x, self.stack[...])[0]
        return self.head(self.dropout(jnp.asarray(self.recurrence(x))[:, -1]))


@pytest.fixture(scope="module")
def everything():
    model = Everything(nnx.Rngs(0))
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)
    return lambda parameters, x: nnx.merge(graph, parameters, rest, copy=True)(x), nnx.as_pure(parameters)


def test_run_operation_by_operation_a_model_gives_its_own_bits_and_gradients(everything):
    function, parameters = everything
    graph = trace(function, parameters, X)
    np.testing.assert_array_equal(graph.evaluate(parameters, X)[0], function(parameters, X))
    ours = jax.jit(jax.grad(lambda p: jnp.sum(graph.evaluate(p, X)[0] ** 2)))(parameters)
    own = jax.jit(jax.grad(lambda p: jnp.sum(function(p, X) ** 2)))(parameters)
    # The bias of attention's keys has gradient zero, so that is rounding: the scale is that of the whole gradient.
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(own))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6 * scale), ours, own)


def test_blocks_are_named_by_their_matrices_and_a_scanned_stack_is_written_out(everything):
    function, parameters = everything
    chain = find_chain(trace(function, parameters, X), parameters)
    names = [block.name for block in chain.blocks]
    assert names == ["convolution", "attention", "stack[0]", "stack[1]", "stack[2]", "recurrence/cell", "head"]
    kinds = [[step.kind for step in chain.steps if step.block == index] for index in range(len(names))]
    assert kinds[0] == ["matrix", "normalization", "activation"]
    assert kinds[1][0] == "block"
    assert kinds[2] == kinds[3] == kinds[4] == ["matrix", "activation"]
    assert kinds[5] == ["recurrence"]
    assert kinds[6] == ["matrix"]


def test_a_residual_branch_is_one_block_with_its_steps_inside():
    def apply(kernels, x):
        for kernel in kernels:
            x = x + jnp.tanh(x @ kernel[0]) @ kernel[1]
        return x

    kernels = [jax.random.normal(jax.random.key(i), (2, 8, 8)) for i in range(3)]
    chain = find_chain(trace(apply, kernels, X[:, 0]), kernels)
    assert [block.name for block in chain.blocks] == ["0", "1", "2"]
    assert [step.kind for step in chain.steps if step.block == 1] == ["block", "matrix", "activation", "matrix"]


def test_a_step_is_visited_once_however_many_ways_lead_through_it():
    """Every block is modulated by one vector, as in FiLM, so that each may be reached through all before it or not."""

    def apply(kernels, x):
        condition = jnp.tanh(x @ kernels[0][0])
        for into, scale, shift in kernels[1:]:
            x = x + jnp.tanh(x @ into * (condition @ scale) + condition @ shift)
        return x

    counts = []
    for blocks in (4, 8):
        kernels = [jax.random.normal(jax.random.key(i), (3, 8, 8)) for i in range(1 + blocks)]
        chain = find_chain(trace(apply, kernels, X[:, 0]), kernels)
        assert len(set(chain.steps)) == len(chain.steps)
        counts.append(len(chain.steps))
    assert 4 * 6 < counts[0] < counts[1] <= 2 * counts[0]


def test_the_derivative_that_a_function_brings_along_is_kept():
    """jax.nn.relu has slope 0 at 0; written out as a maximum it would have 1/2."""
    graph = trace(lambda kernel, x: jax.nn.relu(x @ kernel), jnp.eye(8), X[:, 0])
    gradient = jax.grad(lambda x: jnp.sum(graph.evaluate(jnp.eye(8), x)[0]))(jnp.zeros_like(X[:, 0]))
    np.testing.assert_array_equal(gradient, jnp.zeros_like(gradient))


@pytest.mark.parametrize("backwards", [False, True])
def test_the_gradient_of_a_state_is_that_of_a_plain_loop_over_time(backwards):
    kernels = jax.random.normal(jax.random.key(1), (2, 8, 8)) / 3

    def step(kernels, state, x):
        return jnp.tanh(state @ kernels[0] + x @ kernels[1])

    def apply(kernels, x):
        def body(state, x):
            state = step(kernels, state, x)
            return state, jnp.sin(state)

        return jax.lax.scan(body, jnp.zeros((6, 8)), x.swapaxes(0, 1), reverse=backwards)[1].sum(0)

    def looped(taps):
        state, total = jnp.zeros((6, 8)), 0.0
        for time in range(5)[:: -1 if backwards else 1]:
            state = step(kernels, state, X[:, time]) + taps[time]
            total += jnp.sum(jnp.sin(state))
        return total

    graph = trace(apply, kernels, X)
    (scan,) = [operation for operation in graph.operations if operation.recurrent]

    _, values = graph.evaluate(kernels, X)
    given = [values[number] for number in scan.inputs]
    recurrent = scan.recurrent
    assert recurrent is not None

    def watched(taps):
        return jnp.sum(recurrent.apply(given, ThroughTime((taps,)))[1])

    taps = jnp.zeros((5, 6, 8))
    np.testing.assert_allclose(jax.grad(watched)(taps), jax.grad(looped)(taps), rtol=1e-5, atol=1e-6)


def test_a_model_without_parameters_on_the_way_has_no_layers():
    kernel = jnp.eye(8)
    assert find_chain(trace(lambda _, x: x @ kernel, {}, X), {}).blocks == ()
