"""Arrays in numpy's own files, .npy and .npz."""

from pathlib import Path

import numpy as np

from bench.language.errors import InputError, briefly

_EXAMPLES, _LABELS = ("images", "values"), "labels"

_WRITE = "write it anew with numpy.save or numpy.savez"


def read_array(path: Path, array: str | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """The examples of a file, and their labels where an .npz file has them beside.

    Args:
        path: An .npy or .npz file. Nothing in it is ever run: pickled objects are refused.
        array: The name of the examples in an .npz file; by default `images`, or `values`, or that of the only array
            beside `labels`.

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
                return loaded, None
            name = _name(path, array, loaded.files)
            return loaded[name], loaded[_LABELS] if _LABELS in loaded.files and name != _LABELS else None
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
    if array is not None:
        if array not in names:
            raise InputError(f"{path} has no array {array!r}: name one of those in it ({there})")
        return array
    usual = [name for name in _EXAMPLES if name in names] or [name for name in names if name != _LABELS]
    if len(usual) != 1:
        raise InputError(
            f"{path} holds {len(names)} arrays ({there}): call the one that is meant images, and numbers of classes "
            "beside it labels"
        )
    return usual[0]
