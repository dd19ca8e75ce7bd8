"""Penn Treebank: news, a sentence a line."""

from bench.data.fetching.data_file import DataFile
from bench.data.named_data import named_data
from bench.data.reading.lines import read_lines
from bench.data.splits import Sentences, Splits


def _file(split: str, size: int, sha256: str) -> DataFile:
    name = f"ptb.{split}.txt"
    addresses = (
        f"https://raw.githubusercontent.com/{owner}/lstm/master/data/{name}" for owner in ("wojzaremba", "tomsercu")
    )
    return DataFile(f"ptb/{name}", size, sha256, tuple(addresses))


@named_data(
    kind="text",
    examples=49_199,
    licence="LDC, research",
    files=(
        _file("train", 5_101_618, "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
        _file("valid", 399_782, "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
        _file("test", 449_945, "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
    ),
)
def penn_treebank(train: bytes, validation: bytes, test: bytes) -> Splits[Sentences]:
    """49,199 sentences of the Wall Street Journal, of 9,998 words and <unk>; lower case, numbers as N.

    The text derives from LDC99T42, (c) Dow Jones, and has no open licence: think before you pass it on.

    Source:
        Marcus, Santorini & Marcinkiewicz 1993; prepared by Mikolov et al. 2010.
    """
    splits = (read_lines(content, words=True) for content in (train, validation, test))
    said = "The standard split, in three files: 42,068 / 3,370 / 3,761 sentences."
    return Splits(*splits, description=said, unknown="<unk>")
