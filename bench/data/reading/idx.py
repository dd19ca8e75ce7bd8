"""The IDX format of MNIST's files."""

import numpy as np


def read_idx(content: bytes) -> np.ndarray:
    """The array of bytes that an IDX file holds, in the file's own shape.

    Args:
        content: Two zero bytes, the type 8 (unsigned bytes), the number of axes, each axis as a big-endian number of
            four bytes, then the numbers, the last axis fastest.

    Source:
        LeCun, Cortes & Burges 1998, the MNIST database's own page.
    """
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"an IDX file of unsigned bytes begins with 0 0 8, not {' '.join(map(str, content[:3]))}")
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(*map(int, shape))
