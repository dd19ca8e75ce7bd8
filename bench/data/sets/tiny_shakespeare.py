"""Tiny Shakespeare: lines of plays."""

from bench.data.fetching.data_file import DataFile
from bench.data.named_data import named_data
from bench.data.splits import Sentences, Splits
from bench.data.splitting import split_by_position


@named_data(
    kind="text",
    examples=32_777,
    licence="public domain",
    files=(
        DataFile(
            "tiny-shakespeare/input.txt",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
        ),
    ),
)
def tiny_shakespeare(file: bytes) -> Splits[Sentences]:
    """32,777 lines of plays by Shakespeare, as characters; the empty lines between speeches are left out.

    Source:
        Karpathy 2015, The unreasonable effectiveness of recurrent neural networks.
    """
    return split_by_position([tuple(line) for line in file.decode().split("\n") if line], (90, 5, 5))
