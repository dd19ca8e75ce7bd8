"""Text with one example a line: characters of any script, or words between spaces."""

from bench.data.splits import Sentences
from bench.language.errors import InputError


def read_lines(content: bytes, words: bool = False, name: str = "the text") -> Sentences:
    """The lines of a text as sequences of tokens.

    Args:
        content: In UTF-8.
        words: Whether tokens are what stands between spaces; otherwise each character is one, spaces too.
        name: How the file is called in what is said of it.

    Raises:
        InputError: If it is not in UTF-8, holds nothing, or a line is empty.
    """
    lines = decode(content, name).split("\n")
    # The last line may end like the others.
    lines = [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]
    if not lines:
        raise InputError(f"{name} is empty: give at least one example, each in a line of its own")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise InputError(f"{name}, line {number} is empty: each line must be an example, so delete it")
    return [tuple(line.split() if words else line) for line in lines]


def decode(content: bytes, name: str) -> str:
    """Text of bytes in UTF-8, without the mark that some editors put before it.

    Raises:
        InputError: If they are not in UTF-8, with the place of the first that is not.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The mark's three bytes are not counted in the error's place.
        at = error.start + (len(content) - len(error.object))
        line = content.count(b"\n", 0, at) + 1
        raise InputError(
            f"{name} is not in UTF-8 (byte 0x{content[at]:02x} at offset {at}, in line {line}): save it as UTF-8"
        ) from error
