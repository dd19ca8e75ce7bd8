"""Frey faces: the frames of a short video."""

import io

import numpy as np
import scipy.io

from bench.data.fetching.data_file import DataFile
from bench.data.named_data import named_data
from bench.data.splits import Arrays, Splits
from bench.data.splitting import split_in_blocks

# Of 98 frames each. From a frame of validation or test to the nearest training frame it is 15 grey levels (root mean
# square, the median frame's); 17 where the video is cut once into three, and 11 where frame by frame is drawn.
_BLOCKS = 20


@named_data(
    kind="images",
    shape=(28, 20),
    examples=1_965,
    licence="none stated",
    files=(
        DataFile(
            "frey-face/frey_rawface.mat",
            1_100_584,
            "265a83a23adb081755cd3de375509828e690324d1d60f076b8ecebc840d59c64",
            (
                "https://cs.nyu.edu/~roweis/data/frey_rawface.mat",
                "https://raw.githubusercontent.com/vilhess/projet_meth_ia/4935816fb0a32c05a7a4d54d5945a83f1f1bd5c0/dataset/"
                "frey_rawface.mat",
            ),
        ),
    ),
)
def frey_faces(file: bytes) -> Splits[Arrays]:
    """1,965 frames of one face, 28 x 20 grey pixels, split in blocks of time because neighbours are nearly equal.

    Source:
        Roweis, https://cs.nyu.edu/~roweis/data.html.
    """
    # One image is a column.
    columns = np.asarray(scipy.io.loadmat(io.BytesIO(file))["ff"])
    return split_in_blocks({"images": np.ascontiguousarray(columns.T).reshape(-1, 28, 20)}, _BLOCKS)
