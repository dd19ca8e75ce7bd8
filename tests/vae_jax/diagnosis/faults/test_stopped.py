"""Operations that hand no gradient on, and those that are left alone."""

import inspect

import jax
import jax.numpy as jnp
import pytest

from vae_jax.diagnosis.faults.stopped import where_stopped
from vae_jax.diagnosis.tracing.interpreter import Body

X = jax.random.normal(jax.random.key(0), (4, 3))
W = {"first": jnp.eye(3), "second": jnp.eye(3)}


def by_argmax(w):
    return jnp.mean(jnp.argmax(X @ w["first"], -1).astype(jnp.float32) + (X @ w["second"])[:, 0])  # here


def by_round(w):
    return jnp.mean(jnp.round(X @ w["first"]) @ w["second"])  # here


def by_stop_gradient(w):
    return jnp.mean(jax.lax.stop_gradient(X @ w["first"]) @ w["second"])  # here


def by_integers(w):
    h = (10 * (X @ w["first"])).astype(jnp.int32)  # here
    return jnp.mean(h.astype(jnp.float32) @ w["second"])


def inside_a_jitted_function(w):
    @jax.jit
    def hard(h):
        return jnp.floor(h)  # here

    return jnp.mean(hard(X @ w["first"]) @ w["second"])


def inside_a_scan(w):
    def step(state, x):
        return state @ w["second"] + jnp.sign(x @ w["first"]), None  # here

    return jnp.mean(jax.lax.scan(step, jnp.zeros((4, 3)), jnp.stack([X, X]))[0])


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (by_argmax, "argmax"), (by_round, "round"), (by_stop_gradient, "stop_gradient"),
        (by_integers, "convert_element_type"), (inside_a_jitted_function, "floor"), (inside_a_scan, "sign"),
    ],
)  # fmt: skip
def test_the_operation_and_its_line_are_named(function, operation):
    gradient = jax.grad(function)(W)
    assert not jnp.any(gradient["first"])
    assert jnp.any(gradient["second"])
    closed = jax.make_jaxpr(function)(W)
    (found,) = where_stopped(Body(closed.jaxpr, closed.consts, jax.tree.leaves(W)), [jnp.ones(())], [0])
    assert found.operation == operation
    lines, first = inspect.getsourcelines(function)
    here = next(index for index, line in enumerate(lines) if line.rstrip().endswith("# here"))
    assert found.line is not None
    assert (found.line.file, found.line.number) == (__file__, first + here)


def test_what_is_passed_by_is_not_named():
    """A softmax holds a stop_gradient, and a straight-through estimator is one beside a way that passes."""

    def frozen(w):
        h = jax.lax.stop_gradient(X @ w["first"])
        h = h @ w["second"]
        return jnp.mean(jax.nn.softmax(h + jax.lax.stop_gradient(jnp.round(h) - h))[:, 0])

    closed = jax.make_jaxpr(frozen)(W)
    body = Body(closed.jaxpr, closed.consts, jax.tree.leaves(W))
    (found,) = where_stopped(body, [jnp.ones(())], [0])
    assert found.line is not None
    assert (found.operation, found.line.function.rpartition(".")[2]) == ("stop_gradient", "frozen")
    assert found.line.number == inspect.getsourcelines(frozen)[1] + 1
    # Asked of what gets a gradient, nothing is named.
    assert where_stopped(body, [jnp.ones(())], [1]) == []


def test_a_matrix_of_zeros_is_not_an_operation_without_a_derivative():
    nothing = {"first": jnp.eye(3), "second": jnp.zeros((3, 3))}
    closed = jax.make_jaxpr(lambda w: jnp.mean(jnp.tanh(X @ w["first"]) @ w["second"]))(nothing)
    assert where_stopped(Body(closed.jaxpr, closed.consts, jax.tree.leaves(nothing)), [jnp.ones(())], [0]) == []
