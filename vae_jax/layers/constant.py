"""A number that a module was drawn with and keeps."""

from typing import Any

from flax import nnx


class Constant(nnx.Variable[Any]):
    """A value that a module keeps among its statistics, since nothing trains it.

    As a plain attribute it would be structure, and every value of it another program.
    """
