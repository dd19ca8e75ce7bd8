"""Shampoo: a preconditioner to each axis of each matrix."""

import functools
from collections import defaultdict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from vae_jax.recipe.configured import Number

# Square, each of its axis' size.
Matrices = list[tuple[Array, ...]]


# A small eigenvalue more than doubles in each, so these reach from a millionth to 1.
_ITERATIONS = 30


class ShampooState(NamedTuple):
    """Shampoo's.

    Attributes:
        taken: Steps taken.
        statistics: For each matrix and axis, what its gradients' outer products along that axis add up to.
        roots: Their inverse roots, as they were last taken.
        adagrad: The state of AdaGrad.
    """

    taken: Int[Array, ""]
    statistics: Matrices
    roots: Matrices
    adagrad: optax.OptState


def shampoo(learning_rate: Number, *, eps: Number, interval: int) -> optax.GradientTransformation:
    """In the direction of L^(-1/4) G R^(-1/4), as far as AdaGrad goes: it knows rows and columns, and not entries.

    A matrix's step has the length of AdaGrad's, and a vector's is AdaGrad's own. Without, at ten steps between roots,
    training diverged within eight at each of five rates: roots that were taken some steps ago do not know the
    directions that have come since, and a vector's gradients bring a new one each step; these they divide by what is
    next to nothing.

    The roots are taken by Newton's iteration, by matrix products alone: a factorization for each of many matrices in
    one program can deadlock XLA's CPU backend.

    Args:
        learning_rate: The rate.
        eps: What all statistics start from, times the identity; at least 1e-18, whose square is above 0 in float32. It
            outweighs a gradient whose norm is far below its root: no direction of that is lifted.
        interval: Steps between two times that the roots are taken.

    Source:
        Gupta, Koren & Singer 2018, arXiv:1802.09568, algorithms 1 and 2; the length, Anil, Gupta, Koren, Regan & Singer
        2020, arXiv:2002.09018.
    """
    adagrad = optax.scale_by_rss(initial_accumulator_value=0.0, eps=0.0)

    def init(parameters: Any) -> ShampooState:
        start = [
            tuple(eps * jnp.eye(size, dtype=leaf.dtype) for size in leaf.shape) if leaf.ndim > 1 else ()
            for leaf in jax.tree.leaves(parameters)
        ]
        return ShampooState(jnp.zeros((), jnp.int32), start, start, adagrad.init(parameters))

    def update(gradient: Any, state: ShampooState, params: Any = None) -> tuple[Any, ShampooState]:
        leaves, structure = jax.tree.flatten(gradient)
        statistics = [
            tuple(matrix + _outer(leaf, axis) for axis, matrix in enumerate(matrices))
            for leaf, matrices in zip(leaves, state.statistics, strict=True)
        ]
        due = state.taken % interval == 0
        roots = jax.lax.cond(due, inverse_roots, lambda _: state.roots, statistics)
        steps, lengths = adagrad.update(gradient, state.adagrad)
        updates = [
            _as_long_as(step, _precondition(leaf, each)) if each else step
            for leaf, each, step in zip(leaves, roots, jax.tree.leaves(steps), strict=True)
        ]
        return jax.tree.unflatten(structure, updates), ShampooState(state.taken + 1, statistics, roots, lengths)

    inner = optax.GradientTransformation(init, update)  # type: ignore
    return optax.chain(inner, optax.scale_by_learning_rate(learning_rate))


def inverse_roots(statistics: Matrices) -> Matrices:
    """Each matrix to the power -1 / (2 axes), where `axes` is how many its parameter has."""
    # All of one size and power at once: each for itself, they take longer to compile than the training.
    places = defaultdict(list)
    for parameter, matrices in enumerate(statistics):
        for axis, matrix in enumerate(matrices):
            places[len(matrix), 2 * len(matrices)].append((parameter, axis))
    found: dict[tuple[int, int], Array] = {}
    for (_, power), group in places.items():
        stacked = jnp.stack([statistics[parameter][axis] for parameter, axis in group])
        roots = jax.vmap(lambda matrix, power=power: inverse_root(matrix, power))(stacked)
        found |= dict(zip(group, roots, strict=True))
    return [tuple(found[index, axis] for axis in range(len(each))) for index, each in enumerate(statistics)]


def inverse_root(matrix: Float[Array, "n n"], power: int) -> Float[Array, "n n"]:
    """A positive definite matrix to the power -1 / `power`, by Newton's coupled iteration.

    `optax.matrix_inverse_pth_root` gives up where its error grows at first, as it does for few gradients of many
    entries, and returns a multiple of the identity.

    Args:
        matrix: Its smallest eigenvalue counts as at least a millionth of its norm: less is rounding in float32.
        power: The root's.

    Source:
        Higham 2008, Functions of Matrices, equation 7.18.
    """
    identity = jnp.eye(len(matrix), dtype=matrix.dtype)
    norm = jnp.sqrt(jnp.sum(matrix**2))
    scale = (1 + power) / (2 * norm)
    product = functools.partial(jnp.matmul, precision="highest")

    def refine(_: Any, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        # Root^power times the matrix, which goes to the identity, and the root.
        left, root = pair
        step = ((1 + power) * identity - left) / power
        return product(functools.reduce(product, [step] * power), left), product(root, step)

    begin = ((matrix + 1e-6 * norm * identity) * scale, identity * scale ** (1 / power))
    return jax.lax.fori_loop(0, _ITERATIONS, refine, begin)[1]


def _outer(leaf: Array, axis: int) -> Float[Array, "n n"]:
    rows = jnp.moveaxis(leaf, axis, 0).reshape(leaf.shape[axis], -1)
    return rows @ rows.T


def _precondition(leaf: Array, roots: tuple[Array, ...]) -> Array:
    for axis, root in enumerate(roots):
        leaf = jnp.moveaxis(jnp.tensordot(root, leaf, (1, axis)), 0, axis)
    return leaf


def _as_long_as(step: Array, direction: Array) -> Array:
    length = jnp.linalg.norm(direction)
    return direction * jnp.linalg.norm(step) / jnp.where(length > 0, length, 1)
