"""MNIST, and the layout of files that others have taken over from it."""

import numpy as np
from sklearn.model_selection import train_test_split

from bench.data.fetching.data_file import DataFile
from bench.data.named_data import named_data
from bench.data.reading.idx import read_idx
from bench.data.splits import Arrays, Splits, take

# The split is part of the benchmark's definition, not of a run.
_SEED = 0
_VALIDATION = 10_000

_ADDRESSES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)


def idx_file(folder: str, name: str, size: int, sha256: str, addresses: tuple[str, ...]) -> DataFile:
    """One of the four files: of the same name, compressed, at every address.

    Args:
        folder: Of the data set, in a data folder.
        name: The file's, without its ending.
        size: Bytes to download.
        sha256: Of its decompressed content.
        addresses: Of the folders that hold it.
    """
    return DataFile(f"{folder}/{name}", size, sha256, tuple(f"{address}{name}.gz" for address in addresses))


def labelled_images(train: bytes, train_labels: bytes, test: bytes, test_labels: bytes) -> Splits[Arrays]:
    """The splits of four IDX files: 50,000 images to train, 10,000 of their training files to validate, the test files.

    Args:
        train: The 60,000 training images.
        train_labels: Their labels, by which validation is stratified.
        test: The 10,000 test images.
        test_labels: Their labels.
    """
    known = {"images": read_idx(train), "labels": read_idx(train_labels)}
    kept, validation = train_test_split(
        np.arange(len(known["labels"])), test_size=_VALIDATION, stratify=known["labels"], random_state=_SEED
    )
    return Splits(
        take(known, np.sort(kept)),
        take(known, np.sort(validation)),
        {"images": read_idx(test), "labels": read_idx(test_labels)},
        "The standard 10,000 test images; of the 60,000 training images 10,000, drawn with seed 0, validate, each "
        "class in its share: 50,000 / 10,000 / 10,000 examples.",
    )


@named_data(
    kind="images",
    shape=(28, 28),
    classes=10,
    examples=70_000,
    licence="none stated",
    files=tuple(
        idx_file("mnist", name, size, sha256, _ADDRESSES)
        for name, size, sha256 in (
            (
                "train-images-idx3-ubyte", 9_912_422,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ), (
                "train-labels-idx1-ubyte", 28_881,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ), (
                "t10k-images-idx3-ubyte", 1_648_877,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ), (
                "t10k-labels-idx1-ubyte", 4_542,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        )
    ),
)  # fmt: skip
def mnist(train: bytes, train_labels: bytes, test: bytes, test_labels: bytes) -> Splits[Arrays]:
    """70,000 handwritten digits of 28 x 28 grey pixels, 0 background to 255 ink, with their labels.

    Catalogues commonly give CC BY-SA 3.0 as its licence; the original page states none.

    Source:
        LeCun, Cortes & Burges 1998, http://yann.lecun.com/exdb/mnist/.
    """
    return labelled_images(train, train_labels, test, test_labels)
