"""The synthetic text of the paper on lagging inference networks."""

from bench.data.fetching.data_file import DataFile
from bench.data.named_data import named_data
from bench.data.reading.lines import read_lines
from bench.data.splits import Sentences, Splits
from bench.data.splitting import split_at_random


@named_data(
    kind="text",
    examples=10_000,
    licence="MIT",
    files=(
        DataFile(
            "lagging-synthetic/synthetic_data.txt",
            398_741,
            "0546b145c919872dc6149a39ad9c072f2c0a8ff9b2a68d3fc5efa60714940a05",
            (
                "https://raw.githubusercontent.com/jxhe/vae-lagging-encoder/15c41770cf032c6b1d8b3e3e1a0a4be5de9e478f/"
                "synthetic-data/synthetic_data.txt",
            ),
        ),
    ),
)
def lagging_synthetic(file: bytes) -> Splits[Sentences]:
    """10,000 sequences of ten of 1,000 tokens, drawn from a random LSTM with a latent variable of two dimensions.

    An early version of that paper's toy data: it is not known to be the file behind the published figures.

    Source:
        He, Spokoyny, Neubig & Berg-Kirkpatrick 2019, arXiv:1901.05534.
    """
    return split_at_random(read_lines(file, words=True))
