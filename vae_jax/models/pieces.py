"""Many examples through a model: so many at once that their hidden layers fit into memory."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vae_jax.models.batch import Rows, examples
from vae_jax.models.contract import Architecture

# 1 GiB of float32: 583 images at once through DeepOBS's convolutions; everything on digits, and what tutorials teach of
# MNIST, fits as a whole.
_AT_ONCE = 2**28


def fitting(architecture: Architecture) -> int:
    """How many examples may be in a model at once: as many as have `_AT_ONCE` numbers in its hidden layers.

    Outputs count three times: of text, whose logits are many, there are those by the code of another sentence beside
    them, and their softmax. The patches of one convolution, of as many channels as it has itself, count twice: XLA
    copies them before they are multiplied.
    """
    runs = [run for own in architecture.stacks.values() for run in own]
    hidden = sum(run.layers * math.prod(run.shape) for run in runs)
    patches = max(math.prod(run.shape) * run.patch for run in runs)
    return max(1, _AT_ONCE // (hidden + 2 * patches + 3 * architecture.output_size))


def in_pieces(function: Callable[..., Any], most: int, *given: Any) -> Any:
    """A function's results for all examples, in their order, where it takes so many at a time.

    Args:
        function: Of some examples, as many of each argument; what it gives has an axis in front too.
        most: How many it takes at once; where there are no more, it is called as it is.
        *given: Pytrees of arrays with an axis of examples in front.
    """
    count = examples(given)
    if count <= most:
        return function(*given)
    fewest = -(-count // most)
    # Pieces of one size compile once; where a few more are needed for that, they are taken.
    pieces = next((pieces for pieces in range(fewest, 2 * fewest) if count % pieces == 0), fewest)
    size = -(-count // pieces)
    whole = count // size * size
    front = jax.tree.map(lambda leaf: leaf[:whole].reshape(-1, size, *leaf.shape[1:]), given)
    found = jax.lax.map(lambda piece: function(*piece), front)
    parts = [jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)]
    if whole < count:
        parts.append(function(*jax.tree.map(lambda leaf: leaf[whole:], given)))
    return jax.tree.map(lambda *each: jnp.concatenate(each), *parts)


def evenly(rows: Rows, most: int) -> Rows:
    """The rows, or where there are more, so many of them, evenly spaced: rows may be in an order, as of classes."""
    count = examples(rows)
    if count <= most:
        return rows
    return jax.tree.map(lambda leaf: leaf[np.arange(most) * count // most], rows)
