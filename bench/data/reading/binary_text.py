"""Images as text: a line of digits 0 and 1, single spaces between them, for each."""

import numpy as np


def read_binary_text(content: bytes, height: int, width: int) -> np.ndarray:
    """Binary images, (examples, height, width), True for ink.

    Args:
        content: Lines of height times width digits, so that every second byte is one.
        height: Rows of an image.
        width: Columns of an image.
    """
    digits = np.frombuffer(content, np.uint8).reshape(-1, 2 * height * width)[:, ::2]
    return (digits == ord("1")).reshape(-1, height, width)
