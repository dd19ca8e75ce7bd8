import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.splits import count
from bench.data.splitting import split_at_random, split_by_position, split_in_blocks
from bench.language.errors import InputError

SENTENCES = st.lists(st.tuples(st.integers(0, 30).map(str)), min_size=3, max_size=200)


def parts(splits):
    return splits.train, splits.validation, splits.test


def everything(splits):
    return [*splits.train, *splits.validation, *splits.test]


@given(SENTENCES, st.integers(0, 5))
def test_at_random_nothing_is_lost_and_what_is_alike_stays_together(rows, seed):
    if len(set(rows)) < 3:
        with pytest.raises(InputError, match="three splits need at least 3 different examples, and among"):
            split_at_random(rows, seed)
        return
    splits = split_at_random(rows, seed)
    assert sorted(everything(splits)) == sorted(rows)
    assert all(splits.sizes)
    train, validation, test = map(set, parts(splits))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert ("identical examples in one split" in splits.description) == (len(set(rows)) < len(rows))


def test_at_random_the_shares_hold_and_the_seed_decides():
    rows = {"values": np.arange(1000.0).reshape(1000, 1)}
    first, again, other = split_at_random(rows), split_at_random(rows), split_at_random(rows, seed=1)
    assert first.sizes == (800, 100, 100)
    assert first.description == "Split 80/10/10 at random with seed 0: 800 / 100 / 100 examples."
    for name in ("train", "validation", "test"):
        assert (getattr(first, name)["values"] == getattr(again, name)["values"]).all()
    assert (first.test["values"] != other.test["values"]).any()
    # In the order in which they were.
    assert (np.diff(first.train["values"][:, 0]) > 0).all()


def test_images_that_differ_in_their_labels_alone_stay_together():
    images = np.repeat(np.arange(30, dtype=np.uint8), 4).reshape(120, 1, 1)
    splits = split_at_random({"images": images, "labels": np.arange(120)})
    homes = [set(part["images"].ravel().tolist()) for part in parts(splits)]
    assert sum(map(len, homes)) == 30
    assert sum(count(part) for part in parts(splits)) == 120


def test_where_all_is_there_many_times_no_split_is_empty():
    assert split_at_random([("a",)] * 100 + [("b",)] * 100 + [("c",)] * 100).sizes == (100, 100, 100)


def test_by_position_the_order_stays():
    splits = split_by_position([(str(number),) for number in range(200)], (90, 5, 5))
    assert splits.sizes == (180, 10, 10)
    assert everything(splits) == [(str(number),) for number in range(200)]
    assert splits.description == (
        "Split 90/5/5 by position, from the first example to the last: 180 / 10 / 10 examples."
    )


def test_what_comes_again_is_counted():
    splits = split_by_position([("a",)] * 8 + [("a",), ("b",)])
    assert splits.description.endswith(" 1 examples of validation and test occur in training too.")


@given(st.integers(20, 300), st.sampled_from([10, 20]), st.integers(0, 3))
def test_in_blocks_a_neighbour_is_elsewhere_only_at_the_end_of_a_block(total, blocks, seed):
    splits = split_in_blocks({"values": np.arange(total).reshape(total, 1)}, blocks, seed)
    home = np.empty(total, int)
    for part, rows in enumerate(parts(splits)):
        home[rows["values"][:, 0]] = part
    assert sum(splits.sizes) == total
    assert (np.diff(home) != 0).sum() <= 2 * 2 * blocks // 10
    assert all(abs(size - total / 10) <= blocks // 10 for size in splits.sizes[1:])
    assert f"in {blocks} contiguous blocks, drawn with seed {seed}" in splits.description


def test_fewer_examples_than_blocks_are_refused():
    with pytest.raises(InputError, match="9 examples make no 10 blocks: give at least 10, or split them at random"):
        split_in_blocks([("a",)] * 9)
