"""Codes of examples in a file, as `encode` writes them."""

from pathlib import Path

import numpy as np

from bench.data.reading.arrays import read_array
from bench.language.errors import InputError


def read_codes(path: Path, numbers: int) -> np.ndarray:
    """Codes, (examples, numbers) in floats.

    Args:
        path: An .npy file, or an .npz with one array.
        numbers: How many a code is.

    Raises:
        InputError: If there are none in it, or other ones.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}: make codes with python -m bench encode, or name a file with --data")
    codes, _ = read_array(path)
    if codes.dtype.kind != "f":
        raise InputError(f"{path} holds {codes.dtype}, and codes are floats: store float32")
    if codes.ndim != 2 or codes.shape[1] != numbers or not len(codes):
        shape = " x ".join(map(str, codes.shape)) or "one number"
        raise InputError(
            f"{path} holds an array of {shape}, and a code of this model is {numbers} numbers: give each example a row "
            "of as many"
        )
    if not np.isfinite(codes).all():
        row, column = np.argwhere(~np.isfinite(codes))[0]
        raise InputError(f"{path}, index [{row}, {column}] holds {codes[row, column]}: codes must be finite")
    return codes
