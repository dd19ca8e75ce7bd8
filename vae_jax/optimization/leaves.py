"""Which of a model's parameters an optimizer treats in which way, told from their names and shapes."""

from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Parameters = Any


def hidden_kernels(parameters: Parameters) -> Any:
    """True of the matrices inside blocks and from state to state: neither the first layer's nor a head's."""
    return _where(parameters, lambda names, leaf: leaf.ndim == 2 and ("blocks" in names or "recurrent" in names))


def kernels(parameters: Parameters) -> Any:
    """True of all that multiplies a layer's input; not of biases, gains and scalars."""
    return _where(parameters, lambda _, leaf: leaf.ndim >= 2)


def scalars(parameters: Parameters) -> Any:
    """True of what is one number for a whole layer, as a multiplier."""
    return _where(parameters, lambda _, leaf: leaf.ndim == 0)


def below_heads(parameters: Parameters) -> Any:
    """True of all parameters but those of the heads."""
    return _where(parameters, lambda names, _: "head" not in names)


def layer_norms(tree: Any) -> Any:
    """At each leaf the Euclidean norm of its layer, over kernel and bias together."""
    squares: dict[Any, Float[Array, ""]] = {}
    for path, leaf in jax.tree.leaves_with_path(tree):
        squares[path[:-1]] = squares.get(path[:-1], 0.0) + jnp.sum(leaf**2)
    return jax.tree.map_with_path(lambda path, _: jnp.sqrt(squares[path[:-1]]), tree)


def _where(parameters: Parameters, holds: Callable[[tuple[Hashable, ...], Array], bool]) -> Any:
    def told(path: tuple[Any, ...], leaf: Array) -> bool:
        return holds(tuple(getattr(entry, "key", None) for entry in path), leaf)

    return jax.tree.map_with_path(told, parameters)
