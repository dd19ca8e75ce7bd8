"""Trainings in float64, a type that JAX has only while it is told so."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp


@contextlib.contextmanager
def computing(dtype: str) -> Iterator[None]:
    """Everything inside may be traced, compiled and run in a type.

    Args:
        dtype: `float32` or `float64`.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.enable_x64(dtype == "float64"))
        if dtype == "float64":
            # What stays in float32, as rates and losses' limits, meets float64.
            stack.enter_context(jax.numpy_dtype_promotion("standard"))
        yield


def cast(tree: Any, dtype: str) -> Any:
    """A tree whose floating-point arrays are of a type; keys and whole numbers stay."""
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree)
