import numpy as np
import pytest

from bench.data.splits import Splits, count, take
from bench.language.errors import InputError


def splits():
    rows = {"images": np.arange(40).reshape(10, 2, 2), "labels": np.arange(10)}
    return Splits(rows, rows, rows, "As they are.")


def test_rows_of_any_kind_are_counted_and_taken():
    assert count(splits().train) == 10
    assert count([("a",), ("b", "c")]) == 2
    assert take([("a",), ("b",), ("c",)], [2, 0]) == [("c",), ("a",)]
    taken = take(splits().train, np.array([3, 1]))
    assert taken["labels"].tolist() == [3, 1]
    assert taken["images"][0].tolist() == [[12, 13], [14, 15]]


def test_a_part_of_the_training_set_is_seeded_and_said():
    first, again, other = splits().with_examples(4), splits().with_examples(4), splits().with_examples(4, seed=1)
    assert first.sizes == (4, 10, 10)
    assert first.train["labels"].tolist() == again.train["labels"].tolist() != other.train["labels"].tolist()
    assert first.description == "As they are. Of the training set 4 examples are used, drawn with seed 0."
    assert len(set(first.train["labels"].tolist())) == 4


def test_a_larger_part_has_the_smaller_in_it():
    small, large = (set(splits().with_examples(size).train["labels"].tolist()) for size in (3, 6))
    assert small < large


@pytest.mark.parametrize("examples", [0, 11, -1])
def test_more_than_there_is_cannot_be_taken(examples):
    with pytest.raises(InputError, match=f"examples={examples} cannot be taken of 10 training examples: give a number"):
        splits().with_examples(examples)


def test_other_rows_keep_what_was_said():
    made = splits().map(lambda rows: {"sums": rows["images"].sum((1, 2))}, "Summed.")
    assert made.description == "As they are. Summed."
    assert made.test["sums"][0] == 6
