"""A person's batch: of a file, or of a function of theirs that makes it."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.examination.own_code import found, line, tried
from bench.language.errors import InputError


def load_batch(data: str, examples: int) -> Any:
    """The first examples of a batch, as an array or a tree of arrays.

    Values that are no numbers stay: the diagnosis says where they are.

    Args:
        data: An .npy or .npz file, or "file.py:name" or "package.module:name" of a function that makes the batch.
        examples: How many.

    Raises:
        InputError: If it cannot be read, or holds no two examples of numbers.
    """
    if ":" in data and not Path(data).is_file():
        made = found(data, "data")
        batch = tried(f"data {data!r}", "when it was made", made) if callable(made) else made
        return _first(batch, f"data {data!r}", examples)
    file = Path(data)
    if not file.is_file():
        raise InputError(f"there is no data file {data!r}: give the path of an .npy file, as numpy.save writes it")
    try:
        with file.open("rb") as opened:
            read = np.load(opened, allow_pickle=False)
            batch = read if isinstance(read, np.ndarray) else {name: read[name] for name in read.files}
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"data file {data!r} cannot be read: {line(error)}; write it with numpy.save") from error
    return _first(batch, f"data file {data!r}", examples)


def _first(batch: Any, what: str, examples: int) -> Any:
    leaves = jax.tree.leaves(batch)
    if not leaves:
        raise InputError(f"{what} holds no array: it must hold at least one")
    for leaf in leaves:
        kind = np.asarray(leaf).dtype
        if kind.kind not in "fiubc" and kind.name != "bfloat16":
            raise InputError(f"{what} holds {kind}: it must hold real numbers")
    along = [np.shape(leaf) for leaf in leaves if np.ndim(leaf)]
    if not along or min(shape[0] for shape in along) < 2:
        shapes = ", ".join(" x ".join(map(str, shape)) for shape in along) or "a single number"
        raise InputError(f"{what} holds {shapes}: it must hold at least 2 examples along its first axis")
    if len({shape[0] for shape in along}) > 1:
        counts = " and ".join(str(count) for count in sorted({shape[0] for shape in along}))
        raise InputError(f"{what} holds arrays of {counts} examples: all must hold as many along their first axis")
    return jax.tree.map(lambda leaf: _array(leaf)[:examples] if np.ndim(leaf) else _array(leaf), batch)


def _array(leaf: Any) -> jax.Array:
    array = np.asarray(leaf)
    # jax has no 64-bit numbers unless told to.
    narrow = {"f": np.float32, "i": np.int32, "u": np.uint32}
    wide = array.dtype.kind in narrow and array.dtype.itemsize == 8
    return jnp.asarray(array.astype(narrow[array.dtype.kind]) if wide else array)
