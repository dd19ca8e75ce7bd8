"""Arrays in numpy's own files, .npy and .npz."""

from pathlib import Path

import numpy as np

from bench.language.errors import InputError, briefly

_WRITE = "write it anew with numpy.save or numpy.savez"


def read_array(path: Path, array: str | None = None) -> np.ndarray:
    """The one array of a file, or the named one.

    Args:
        path: An .npy or .npz file. Nothing in it is ever run: pickled objects are refused.
        array: Its name in an .npz file that holds several.

    Raises:
        InputError: If the file is damaged, holds objects, or it is not clear which array is meant.
    """
    # Opened here, so that it is closed whatever is in it.
    with path.open("rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                if array is not None:
                    raise InputError(f"{path} holds one array without a name, not {array!r}: leave the name out")
                return loaded
            return loaded[_name(path, array, loaded.files)]
        except InputError:
            raise
        # Of a damaged file numpy's own parser, Python's, zipfile and zlib raise errors of a dozen kinds.
        except Exception as error:
            if "pickle" in str(error):
                raise InputError(
                    f"{path} holds Python objects, which could run anything when they are loaded: write numbers, as "
                    "numpy.save(path, numpy.asarray(examples, dtype='float32'))"
                ) from error
            raise InputError(f"{path} is truncated or damaged ({briefly(error)}): {_WRITE}") from error


def _name(path: Path, array: str | None, names: list[str]) -> str:
    there = ", ".join(names) or "none"
    if array is None and len(names) != 1:
        raise InputError(f"{path} holds {len(names)} arrays ({there}): name the one that is meant")
    if array is not None and array not in names:
        raise InputError(f"{path} has no array {array!r}: name one of those in it ({there})")
    return names[0] if array is None else array
