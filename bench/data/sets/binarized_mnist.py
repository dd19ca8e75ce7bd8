"""The fixed binarisation of MNIST by which likelihoods are reported."""

from bench.data.fetching.data_file import DataFile
from bench.data.named_data import named_data
from bench.data.reading.binary_text import read_binary_text
from bench.data.splits import Arrays, Splits

_FOLDER = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"


def _file(split: str, size: int, sha256: str) -> DataFile:
    name = f"binarized_mnist_{split}.amat"
    return DataFile(f"binarized-mnist/{name}", size, sha256, (f"{_FOLDER}{name}",))


@named_data(
    kind="images",
    shape=(28, 28),
    examples=70_000,
    licence="none stated",
    files=(
        _file("train", 78_400_000, "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d"),
        _file("valid", 15_680_000, "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2"),
        _file("test", 15_680_000, "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c"),
    ),
)
def binarized_mnist(train: bytes, validation: bytes, test: bytes) -> Splits[Arrays]:
    """MNIST's 70,000 digits, each pixel drawn once as ink or none, without labels.

    The test file is sorted by digit: its first examples are all zeros, so a part of it must be drawn.

    Source:
        Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks; files by Larochelle & Murray
        2011.
    """
    splits = ({"images": read_binary_text(content, 28, 28)} for content in (train, validation, test))
    return Splits(*splits, description="The standard split, in three files: 50,000 / 10,000 / 10,000 examples.")
