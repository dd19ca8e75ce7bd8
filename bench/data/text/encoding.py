"""Text in three splits as rows of numbers, with the vocabulary of its training set."""

from bench.data.splits import Arrays, Sentence, Sentences, Splits
from bench.data.text.vocabulary import Vocabulary
from bench.language.errors import InputError


def encode_splits(
    splits: Splits[Sentences],
    max_length: int | None = None,
    at_least: int = 1,
) -> tuple[Splits[Arrays], Vocabulary]:
    """All three splits by the vocabulary of the first, in rows of one length.

    Args:
        splits: Of text; their `unknown` is the symbol for what is not in the vocabulary.
        max_length: Tokens of the longest sentence that is taken, its end symbol not counted; longer ones are left out,
            and the description says how many. By default all are taken.
        at_least: How often a token must occur in training to be one of the vocabulary.

    Returns:
        Rows `tokens` and `lengths` (`Vocabulary.encode`), and the vocabulary.

    Raises:
        InputError: If a token has no number, or a split is left without a sentence.
    """
    limit = max(map(len, _all(splits)), default=0) if max_length is None else max_length
    total, too_long = len(_all(splits)), sum(len(sentence) > limit for sentence in _all(splits))
    left = f"{too_long:,} of {total:,} sentences, of more than {limit} tokens, are left out." if too_long else ""
    kept = splits.map(lambda sentences: [sentence for sentence in sentences if len(sentence) <= limit], left)
    if not all(kept.sizes):
        raise InputError(f"max_length={limit} leaves {' / '.join(map(str, kept.sizes))} sentences: raise it")
    vocabulary = Vocabulary.of(kept.train, splits.unknown, at_least)
    return kept.map(lambda sentences: vocabulary.encode(sentences, limit + 1)), vocabulary


def _all(splits: Splits[Sentences]) -> list[Sentence]:
    return [*splits.train, *splits.validation, *splits.test]
