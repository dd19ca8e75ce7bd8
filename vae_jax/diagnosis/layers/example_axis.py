"""Which axis of a value is the example's, and what examples have to do with each other."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vae_jax.diagnosis.tracing.passes import Passes, Value

# Of the largest entry: what rounding in another order leaves.
_MOVED = 1e-5


class ExampleAxes:
    """The example's axis of every value: the one along which only one entry moves when one example changes.

    Args:
        passes: The model's.
        parameters: Its parameters.
        batch: What it is called with, examples along each array's first axis.
        values: Of the forward pass on that.
        examples: How many there are.
    """

    def __init__(self, passes: Passes, parameters: Any, batch: Any, values: Mapping[int, Value], examples: int):
        self.examples = examples
        self._values = values
        self._other: Callable[[], Mapping[int, Value]] = lambda: passes.forward(parameters, one_changed(batch))
        self._moved: Mapping[int, Value] | None = None

    @property
    def moved(self) -> Mapping[int, Value]:
        """The values with the first example replaced by the second."""
        if self._moved is None:
            self._moved = self._other()
        return self._moved

    def rows(self, number: int, array: np.ndarray | None = None) -> np.ndarray | None:
        """A value, or an array of its shape, with an example a row; None of one that has no example's axis."""
        own = np.asarray(self._values[number]) if array is None else array
        axis = self.axis(number)
        if axis is None:
            return None
        place, inner = axis
        moved = np.moveaxis(own, place, 0)
        if inner == 1:
            return moved.reshape(self.examples, -1)
        if inner > 1:
            # Examples one after the other, each with several rows.
            return moved.reshape(self.examples, -1)
        # All examples, again and again.
        return moved.reshape(-inner, self.examples, -1).swapaxes(0, 1).reshape(self.examples, -1)

    def axis(self, number: int) -> tuple[int, int] | None:
        """The example's axis, and how many rows there each has: negative where all examples come again and again."""
        shape = tuple(self._values[number].shape)
        exact = [place for place, size in enumerate(shape) if size == self.examples]
        if exact == [0] or (len(exact) == 1 and 0 not in exact and not self._several(shape)):
            return exact[0], 1
        several = [place for place, size in enumerate(shape) if size and size % self.examples == 0]
        if not several:
            return None
        changed = _changed(self._values[number], self.moved[number])
        for place in dict.fromkeys([*exact, *several]):
            along = np.asarray(np.moveaxis(changed, place, 0).reshape(shape[place], -1).any(axis=1))
            inner = shape[place] // self.examples
            if along[:inner].any() and not along[inner:].any():
                return place, inner
            if along[:: self.examples].any() and along.sum() == along[:: self.examples].sum():
                return place, -inner
        # Where all of them move, as with statistics of the batch.
        return (exact[0], 1) if exact else None

    def _several(self, shape: tuple[int, ...]) -> bool:
        return bool(shape) and shape[0] % self.examples == 0


def one_changed(batch: Any) -> Any:
    """A batch with its first example replaced by the second."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf).at[0].set(leaf[1]) if jnp.ndim(leaf) else leaf, batch)


def mixes(one: np.ndarray, other: np.ndarray) -> float:
    """How far rows that nothing was done to have moved, as a share of the largest entry; the first is left out."""
    scale = float(np.max(np.abs(one), initial=0.0))
    return float(np.max(np.abs(one[1:] - other[1:]), initial=0.0)) / scale if scale else 0.0


def _changed(one: Value, other: Value) -> np.ndarray:
    first, second = (np.asarray(value) for value in (one, other))
    if not np.issubdtype(first.dtype, np.inexact):
        return first != second
    scale = np.max(np.abs(first), initial=0.0)
    return np.abs(first - second) > _MOVED * scale
