"""Stored numbers as float32, by what their type says of their range."""

import numpy as np

from bench.language.errors import InputError


def intensities(array: np.ndarray) -> np.ndarray:
    """Numbers in float32: bytes divided by 255, True as 1, floats as they are.

    Args:
        array: Of bytes, truth values or floats.

    Raises:
        InputError: If it holds anything else.

    >>> intensities(np.array([0, 51, 255], np.uint8)).tolist()
    [0.0, 0.20000000298023224, 1.0]
    """
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    if array.dtype == bool:
        return array.astype(np.float32)
    if array.dtype.kind == "f":
        # Beyond 3.4e38 a number is infinite in float32.
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    if array.dtype.kind in "iu":
        raise InputError(
            f"whole numbers of type {array.dtype} have no range that is known: store them as uint8, of which 0 to "
            "255 is divided by 255, or scale them yourself and store float32"
        )
    raise InputError(f"{array.dtype} is no type of real numbers: store uint8, or float32")
