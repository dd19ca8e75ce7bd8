"""Tang poems: lines of classical Chinese."""

import json
import re
from urllib.parse import quote

from bench.data.fetching.data_file import DataFile
from bench.data.named_data import named_data
from bench.data.splits import Sentences, Splits
from bench.data.splitting import split_at_random

# The files as they were there; later versions may differ, and then their checksums tell.
_COMMITS = ("99ebbef7", "master")
_MARKS = re.compile("[，。？！；、：]")  # noqa: RUF001


def _file(name: str, published: str, size: int, sha256: str) -> DataFile:
    addresses = (
        f"https://raw.githubusercontent.com/chinese-poetry/chinese-poetry/{commit}/{quote(f'全唐诗/{published}')}"
        for commit in _COMMITS
    )
    return DataFile(f"tang-poems/{name}", size, sha256, tuple(addresses))


@named_data(
    kind="text",
    examples=21_716,
    licence="public domain",
    files=(
        _file(
            "tangshi-300.json",
            "唐诗三百首.json",
            190_787,
            "d77a145f7470da2ed2f79515944563c062ffc43fceda07f195a36ead66b7e5c7",
        ),
        _file(
            "poet.tang.0.json",
            "poet.tang.0.json",
            408_405,
            "4f88f429938082523cdc72a1612bd7a7c3e3f7a33f8192c61ae51340efc3c92d",
        ),
        _file(
            "poet.tang.1000.json",
            "poet.tang.1000.json",
            477_519,
            "6e703b8d8dcedbd6110f6d48d043665ca2131db2035a5bfcef5e59a19aeb6d75",
        ),
    ),
)
def tang_poems(*files: bytes) -> Splits[Sentences]:
    """21,716 lines of 2,306 poems of the Tang dynasty, in traditional characters, most of five or seven.

    Poems are cut at their marks; one that occurs twice, line for line, counts once. Lines with an editor's brackets, or
    a sign for a character that is lost, are left out. More than one in five of the characters occur once in training: a
    vocabulary's `at_least` makes them unknown there.

    Source:
        https://github.com/chinese-poetry/chinese-poetry, (c) 2016 JackeyGao; the poems are in the public domain.
    """
    poems = (json.loads(content) for content in files)
    lines = dict.fromkeys(
        tuple(line for line in _MARKS.split("".join(poem["paragraphs"])) if line) for file in poems for poem in file
    )
    # Only what is written in letters, as Unicode calls these characters too.
    kept: Sentences = [tuple(line) for poem in lines for line in poem if line.isalpha()]
    splits = split_at_random(kept)
    return Splits(splits.train, splits.validation, splits.test, splits.description, unknown="<unk>")
