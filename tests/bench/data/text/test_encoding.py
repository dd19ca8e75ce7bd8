import pytest

from bench.data.splits import Splits
from bench.data.text.encoding import encode_splits
from bench.language.errors import InputError

TEXT = Splits(
    [("a", "b", "b"), ("a",), ("a", "b")], [("b", "x")], [("b",), ("a", "a", "a", "a")], "As it is.", unknown="<unk>"
)


def test_all_splits_have_rows_of_one_length_and_the_vocabulary_of_the_first():
    splits, vocabulary = encode_splits(TEXT)
    assert [part["tokens"].shape for part in (splits.train, splits.validation, splits.test)] == [(3, 5), (1, 5), (2, 5)]
    assert vocabulary.tokens[3:] == ("<unk>", "a", "b")
    assert splits.validation["tokens"].tolist() == [[5, 3, 2, 0, 0]]
    assert splits.description == "As it is."


def test_what_is_too_long_is_dropped_and_counted():
    splits, vocabulary = encode_splits(TEXT, max_length=2)
    assert splits.sizes == (2, 1, 1)
    assert splits.train["tokens"].shape == (2, 3)
    assert splits.description == "As it is. 2 of 6 sentences, of more than 2 tokens, are left out."
    # The vocabulary is that of what is left.
    assert vocabulary.tokens[4:] == ("a", "b")


def test_no_split_is_left_empty():
    with pytest.raises(InputError, match="max_length=1 leaves 1 / 0 / 1 sentences: raise it"):
        encode_splits(TEXT, max_length=1)
