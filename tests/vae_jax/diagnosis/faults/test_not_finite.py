"""The first value that is no number, in programs that people write: what made it, in which line, of what."""

import inspect

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.diagnosis.faults.not_finite import first_derivative, first_result, not_finite_leaves
from vae_jax.diagnosis.tracing.interpreter import Body

X = jnp.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
W = jnp.eye(3)


def square_root_at_zero(w):
    return jnp.sum(jnp.sqrt(jnp.sum((X @ w) ** 2, -1)))  # here


def norm_at_zero(w):
    return jnp.sum(jnp.linalg.norm(X @ w, axis=-1))  # here


def norm_under_vmap(w):
    return jnp.sum(jax.vmap(jnp.linalg.norm)(X @ w))  # here


def log_of_zero(w):
    return jnp.sum(jnp.log(X @ w))  # here


def zero_over_zero(w):
    h = X @ w
    return jnp.sum(h / h)  # here


def exponential_overflows(w):
    return jnp.sum(jnp.exp(100 * (X @ w)))  # here


def infinite_less_infinite(w):
    h = jnp.where(X > 0, X @ w, -jnp.inf)
    return jnp.sum(jax.nn.softmax(h))  # here


def arc_cosine_at_one(w):
    return jnp.arccos((X[1] @ w)[0])  # here


def the_other_branch_of_where(w):
    h = X @ w
    n = jnp.sum(h * h, -1, keepdims=True)
    return jnp.sum(jnp.where(n > 0, h / jnp.sqrt(n), 0.0))  # here


def half_precision(w):
    h = (300 * (X @ w)).astype(jnp.float16)
    return jnp.sum(h * h).astype(jnp.float32)  # here


def in_a_scan(w):
    def step(total, i):
        return total + i, 1 / (total - 3)  # here

    return jnp.sum(jax.lax.scan(step, 0 * jnp.sum(X @ w), jnp.arange(5.0))[1])


def in_a_scan_derivative(w):
    def step(total, i):
        return total + i, jnp.sqrt(total)  # here

    return jnp.sum(jax.lax.scan(step, 0 * jnp.sum(X @ w), jnp.arange(5.0))[1])


def under_remat(w):
    return jnp.sum(jax.checkpoint(lambda h: jnp.log(h))(X @ w))  # here


def derivative_under_remat(w):
    return jnp.sum(jax.checkpoint(lambda h: jnp.sqrt(h))(X @ w))  # here


def in_a_library(w):
    return jnp.sum(jax.nn.standardize(X @ w, epsilon=0.0))  # here


def in_a_while_loop(w):
    def body(_, h):
        return 1e20 * h  # here

    return jnp.sum(jax.lax.fori_loop(0, 5, body, X @ w))


@jax.custom_vjp
def bad_rule(h):
    return h


bad_rule.defvjp(lambda h: (h, h), lambda h, g: (g / h,))


def in_a_custom_derivative(w):
    return jnp.sum(bad_rule(X @ w))  # here


BAD = [
    (square_root_at_zero, "derivative", "sqrt", ()),
    (norm_at_zero, "derivative", "sqrt", ()),
    (norm_under_vmap, "derivative", "sqrt", ()),
    (log_of_zero, "result", "log", ()),
    (zero_over_zero, "result", "div", ()),
    (exponential_overflows, "result", "exp", ()),
    (infinite_less_infinite, "result", "sub", ()),
    (arc_cosine_at_one, "derivative", "acos", ()),
    (the_other_branch_of_where, "result", "div", ()),
    (half_precision, "result", "mul", ()),
    (in_a_scan, "result", "div", (3,)),
    # A gradient passes the last step first, and step 1 begins at 0 as well.
    (in_a_scan_derivative, "derivative", "sqrt", (1,)),
    (under_remat, "result", "log", ()),
    (derivative_under_remat, "derivative", "sqrt", ()),
    (in_a_library, "result", "", ()),
    (in_a_while_loop, "result", "mul", (1,)),
    (in_a_custom_derivative, "derivative", "custom_vjp_call", ()),
]


def asked(function):
    closed = jax.make_jaxpr(function)(W)
    body = Body(closed.jaxpr, closed.consts, [W])
    return first_result(body) or first_derivative(body, [jnp.ones(())], [0])


def line_of_here(function):
    lines, first = inspect.getsourcelines(function)
    return first + next(index for index, line in enumerate(lines) if line.rstrip().endswith("# here"))


@pytest.fixture(autouse=True)
def as_people_run_it():
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.parametrize(("function", "what", "operation", "steps"), BAD, ids=[each[0].__name__ for each in BAD])
def test_operation_file_line_and_step_are_told(function, what, operation, steps):
    if function is not in_a_while_loop:
        value, gradient = function(W), jax.grad(function)(W)
        assert not (np.isfinite(value) and np.isfinite(gradient).all())
    found = asked(function)
    assert found is not None
    assert found.what == what
    assert found.steps == steps
    assert found.operation == operation or not operation
    assert found.line is not None
    assert found.line.file == __file__
    assert found.line.number == line_of_here(function)
    assert np.isnan(found.low) or np.isfinite([found.low, found.high]).all()


def test_what_went_in_is_told_in_numbers_and_where_the_infinite_became_nan():
    found = asked(exponential_overflows)
    assert found is not None
    assert (found.low, found.high, found.made, found.then) == (0.0, 300.0, "infinite", None)

    def over_itself(w):
        raised = jnp.exp(100 * (X @ w))
        return jnp.sum(raised / jnp.sum(raised))

    found = asked(over_itself)
    assert found is not None
    assert found.operation == "exp"
    assert found.then is not None
    assert (found.then.operation, found.then.made) == ("div", "NaN")


def masked_attention(w):
    return jnp.sum(jax.nn.softmax(jnp.where(X > 0, X @ w, -jnp.inf))[1])


def log_of_a_mask(w):
    return jnp.sum(jax.nn.softmax(jnp.log(X) + X @ w)[1])


def a_floor_over_minus_infinity(w):
    return jnp.sum(jnp.maximum(jnp.log(0 * X) + X @ w, 0.0))


@pytest.mark.parametrize("function", [masked_attention, log_of_a_mask, a_floor_over_minus_infinity])
def test_an_infinite_mask_on_the_way_is_healthy(function):
    assert np.isfinite(function(W))
    closed = jax.make_jaxpr(function)(W)
    body = Body(closed.jaxpr, closed.consts, [W])
    assert first_result(body) is None


class Watched(nn.Module):
    """Linen, layers under `nn.scan` and `nn.remat`."""

    @nn.compact
    def __call__(self, x):
        class Layer(nn.Module):
            @nn.compact
            def __call__(self, h, _):
                h = nn.Dense(3, use_bias=False, kernel_init=nn.initializers.ones)(h)
                return jnp.log(h - 6.0), None  # here

        scanned = nn.scan(nn.remat(Layer), variable_axes={"params": 0}, split_rngs={"params": True}, length=2)
        return scanned()(x, None)[0]


def test_the_line_is_right_inside_a_scan_of_remats_of_a_module():
    module = Watched()
    variables = module.init(jax.random.key(0), X)

    def whole(variables):
        return jnp.sum(jnp.asarray(module.apply(variables, X)))

    closed = jax.make_jaxpr(whole)(variables)
    found = first_result(Body(closed.jaxpr, closed.consts, jax.tree.leaves(variables)))
    assert found is not None
    assert found.line is not None
    assert (found.operation, found.steps, found.line.number) == ("log", (0,), line_of_here(Watched))


def test_parameters_and_data_are_counted_leaf_by_leaf():
    tree = {
        "layer": {"kernel": W.at[0, 1].set(jnp.nan), "bias": jnp.zeros(3)},
        "count": 3,
        "x": jnp.array([jnp.inf, 1]),
    }
    found = not_finite_leaves(tree, "parameter")
    assert [(each.operation, each.count, each.size, each.made) for each in found] == [
        ("layer/kernel", 1, 9, "NaN"), ("x", 1, 2, "infinite"),
    ]  # fmt: skip
