"""The ways in which one set of examples becomes three: each a function that says in a sentence what it did."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from bench.data.splits import Arrays, Rows, Sentences, Splits, count, take
from bench.language.errors import InputError

# In per cent, of training, validation and test.
Shares = tuple[int, int, int]
_SHARES: Shares = (80, 10, 10)


def split_at_random(rows: Rows, seed: int = 0, shares: Shares = _SHARES) -> Splits[Rows]:
    """Splits drawn at random, identical examples always in the same one.

    Args:
        rows: Examples that do not depend on their neighbours; with other labels they are identical still.
        seed: Of the draw.
        shares: Of training, validation and test, in per cent.

    Raises:
        InputError: If there are fewer than three different examples.
    """
    alike = defaultdict[Hashable, list[int]](list)
    for index, key in enumerate(_keys(rows)):
        alike[key].append(index)
    if len(alike) < 3:
        raise InputError(
            f"three splits need at least 3 different examples, and among {count(rows)} there are {len(alike)}: give "
            "more"
        )
    groups = list(alike.values())
    rooms = [max(1, round(count(rows) * share / 100)) for share in shares[1:]]
    parts: list[list[list[int]]] = [[], [], []]
    for number in np.random.default_rng(seed).permutation(len(groups)):
        group = groups[number]
        part = next((part for part in (0, 1) if len(group) <= rooms[part]), None)
        if part is not None:
            rooms[part] -= len(group)
        parts[0 if part is None else part + 1].append(group)
    # Where every example is there many times, none fits a small share.
    for part in parts[1:]:
        if not part:
            part.append(min(parts[0], key=len))
            parts[0].remove(part[0])
    indices = [np.sort(np.concatenate([*part])) for part in parts]
    together = ", identical examples in one split" if len(groups) < count(rows) else ""
    return _splits(rows, indices, f"{_words(shares)} at random with seed {seed}{together}")


def split_by_position(rows: Rows, shares: Shares = _SHARES) -> Splits[Rows]:
    """Splits that follow each other: the first examples train, the last ones test.

    Args:
        rows: Examples in an order that means something.
        shares: Of training, validation and test, in per cent.
    """
    total = count(rows)
    ends = [total * shares[0] // 100, total * (shares[0] + shares[1]) // 100]
    return _splits(
        rows, np.split(np.arange(total), ends), f"{_words(shares)} by position, from the first example to the last"
    )


def split_in_blocks(rows: Rows, blocks: int = 10, seed: int = 0) -> Splits[Rows]:
    """Splits of contiguous blocks, drawn at random, so that an example's neighbours are nearly all in its own split.

    Args:
        rows: Examples that follow each other in time.
        blocks: How many blocks of equal length there are, a multiple of 10; a tenth validates, and a tenth tests.
        seed: Of the draw.

    Raises:
        InputError: If there are fewer examples than blocks.
    """
    total, tenth = count(rows), blocks // 10
    if total < blocks:
        raise InputError(f"{total} examples make no {blocks} blocks: give at least {blocks}, or split them at random")
    pieces = np.array_split(np.arange(total), blocks)
    order = np.random.default_rng(seed).permutation(blocks)
    drawn = (order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth])
    indices = [np.concatenate([pieces[piece] for piece in sorted(part)]) for part in drawn]
    return _splits(rows, indices, f"{_words(_SHARES)} in {blocks} contiguous blocks, drawn with seed {seed}")


def _splits(rows: Rows, indices: Sequence[np.ndarray], how: str) -> Splits[Rows]:
    train, validation, test = (take(rows, part) for part in indices)
    sizes = " / ".join(f"{len(part):,}" for part in indices)
    known = set(_keys(train))
    again = sum(key in known for part in (validation, test) for key in _keys(part))
    repeated = f" {again:,} examples of validation and test occur in training too." if again else ""
    return Splits(train, validation, test, f"Split {how}: {sizes} examples.{repeated}")


def _keys(rows: Arrays | Sentences) -> Sequence[Hashable]:
    """By what two examples are compared."""
    if isinstance(rows, list):
        return rows
    arrays = [array for name, array in rows.items() if name != "labels"]
    return [b"".join(array[index].tobytes() for array in arrays) for index in range(count(rows))]


def _words(shares: Shares) -> str:
    return "/".join(map(str, shares))
