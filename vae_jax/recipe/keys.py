"""Random keys by name: what one part of a training draws does not depend on which other parts there are."""

import zlib

import jax
from jaxtyping import PRNGKeyArray


def random_key(seed: int) -> PRNGKeyArray:
    """The key of a seed, of one generator whatever jax is told to take by default: another draws other numbers."""
    return jax.random.key(seed, impl="threefry2x32")


def named_key(key: PRNGKeyArray, name: str) -> PRNGKeyArray:
    """The key that belongs to a name.

    Two recipes draw the same weights for the layer of one name, and the same batches and noise, however much else
    differs between them: the comparison is paired.
    """
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
