"""Each published data set, read from its real files."""

import gzip
from collections import Counter

import numpy as np
import pytest

from bench.data.listing import find_sets, named_sets
from bench.data.sets.binarized_mnist import binarized_mnist
from bench.data.sets.fashion_mnist import fashion_mnist
from bench.data.sets.frey_faces import frey_faces
from bench.data.sets.lagging_synthetic import lagging_synthetic
from bench.data.sets.mnist import mnist
from bench.data.sets.penn_treebank import penn_treebank
from bench.data.sets.tang_poems import tang_poems
from bench.data.sets.tiny_shakespeare import tiny_shakespeare
from bench.data.splits import count
from bench.data.splitting import split_at_random
from bench.data.text.encoding import encode_splits
from bench.language.errors import InputError
from tests.bench.data.real_data import needs_files


def test_every_set_is_found_and_says_what_it_is():
    found = named_sets()
    assert list(found) == [
        "agreement", "agreement-large", "binarized-mnist", "digits", "fashion-mnist", "frey-faces",
        "lagging-synthetic", "mnist", "penn-treebank", "tang-poems", "tiny-shakespeare",
    ]  # fmt: skip
    for each in found.values():
        assert f"{each.examples:,} " in each.description or each.name in ("agreement", "binarized-mnist"), each.name
        assert "Source:" in each.description
        assert each.kind in ("images", "text")
        paths = [file.path for file in each.files]
        assert len(set(paths)) == len(paths)
        for file in each.files:
            assert len(file.sha256) == 64
            assert all(address.startswith("http") and " " not in address for address in file.addresses)


def test_a_misspelt_name_gets_the_nearest():
    with pytest.raises(InputError, match="unknown data set 'fashon-mnist': did you mean 'fashion-mnist'"):
        find_sets(("mnist", "fashon-mnist"))
    assert [each.name for each in find_sets(("mnist", "agreement", "mnist"))] == ["mnist", "agreement"]


@needs_files
@pytest.mark.parametrize("name", named_sets())
def test_the_counts_hold_and_a_part_is_a_part(name):
    splits = named_sets()[name]()
    assert sum(splits.sizes) == named_sets()[name].examples
    # The sentence has the sizes.
    assert " / ".join(f"{size:,}" for size in splits.sizes) in splits.description
    assert splits.with_examples(100).sizes == (100, *splits.sizes[1:])


@needs_files
@pytest.mark.parametrize(("load", "mean"), [(mnist, 0.13066), (fashion_mnist, 0.28604)])
def test_labelled_images(load, mean):
    splits = load()
    assert splits.sizes == (50_000, 10_000, 10_000)
    assert splits.train["images"].dtype == np.uint8
    assert splits.train["images"].shape == (50_000, 28, 28)
    sums = [rows["images"].sum(dtype=np.int64) for rows in (splits.train, splits.validation)]
    assert sum(sums) / 60_000 / 784 / 255 == pytest.approx(mean, abs=5e-6)
    known = Counter(splits.train["labels"].tolist()) + Counter(splits.validation["labels"].tolist())
    for digit, times in Counter(splits.validation["labels"].tolist()).items():
        assert times == pytest.approx(known[digit] / 6, abs=1)
    again = load(examples=10)
    assert (again.validation["labels"] == splits.validation["labels"]).all()


@needs_files
def test_a_label_is_its_image_s():
    splits = mnist()
    # Ones have the least ink, zeros the most.
    for rows in (splits.train, splits.validation, splits.test):
        ink = [rows["images"][rows["labels"] == digit].mean() for digit in range(10)]
        assert np.argmin(ink) == 1
        assert np.argmax(ink) == 0


@needs_files
def test_binarized_mnist_is_mnist_s_test_set_by_digit():
    splits, grey = binarized_mnist(), mnist().test
    assert splits.train["images"].mean() == pytest.approx(0.13056, abs=5e-6)
    order = np.argsort(grey["labels"], kind="stable")
    # Ink is drawn where there is grey, and nowhere else.
    assert not splits.test["images"][grey["images"][order] == 0].any()


@needs_files
def test_frey_faces_keep_neighbours_together():
    splits = frey_faces()
    assert splits.sizes == (1_571, 197, 197)
    images = np.concatenate([rows["images"] for rows in (splits.train, splits.validation, splits.test)])
    assert images.shape == (1_965, 28, 20)
    assert (images.min(), images.max()) == (8, 238)

    def distance(made):
        """From a held-out frame to the nearest of training, the median."""
        train, *held_out = (
            rows["images"].reshape(count(rows), -1).astype(float) for rows in (made.train, made.validation, made.test)
        )
        return np.median([np.sqrt(((train - frame) ** 2).mean(1).min()) for frames in held_out for frame in frames])

    assert distance(splits) > 1.2 * distance(split_at_random({"images": images}))


@needs_files
def test_penn_treebank_has_its_own_split_and_unknown_word():
    splits = penn_treebank()
    assert splits.sizes == (42_068, 3_370, 3_761)
    assert [sum(len(line) + 1 for line in rows) for rows in (splits.train, splits.validation, splits.test)] == [
        929_589, 73_760, 82_430,
    ]  # fmt: skip
    assert len(encode_splits(splits)[1]) == 9_998 + 4
    encoded, vocabulary = encode_splits(splits, max_length=40)
    assert vocabulary.tokens[3] == "<unk>"
    assert encoded.train["tokens"].shape[1] == 41
    assert " sentences, of more than 40 tokens, are left out." in encoded.description
    assert vocabulary.decode(encoded.test["tokens"][:50]) == [line for line in splits.test if len(line) <= 40][:50]


@needs_files
def test_tiny_shakespeare_is_split_by_position():
    splits = tiny_shakespeare()
    assert "".join(splits.train[0]) == "First Citizen:"
    assert "".join(splits.test[-1]) == "Whiles thou art waking."
    _, vocabulary = encode_splits(splits)
    # The end of a line is the end symbol.
    assert len(vocabulary) == 64 + 3


@needs_files
def test_tang_poems_share_no_line_between_splits_and_count_a_poem_once():
    splits = tang_poems()
    train, validation, test = map(set, (splits.train, splits.validation, splits.test))
    assert len(train | validation | test) == len(train) + len(validation) + len(test)
    lines = [*splits.train, *splits.validation, *splits.test]
    # A line of a poem that both the anthology and the second file have.
    assert lines.count(tuple("黃河遠上白雲間")) == 1
    assert all(character.isalpha() for line in lines for character in line)
    lengths = Counter(map(len, lines))
    assert lengths[5] + lengths[7] > 0.8 * len(lines)
    encoded, vocabulary = encode_splits(splits, max_length=7, at_least=2)
    assert (encoded.train["tokens"] == vocabulary.tokens.index("<unk>")).any()


@needs_files
def test_lagging_synthetic_is_ten_tokens_a_line():
    splits = lagging_synthetic()
    assert splits.sizes == (8_000, 1_000, 1_000)
    assert {len(line) for line in splits.train} == {10}
    tokens = {int(token) for line in splits.train for token in line}
    assert min(tokens) >= 0
    assert max(tokens) <= 999


@needs_files
def test_a_truncated_copy_of_a_real_file_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_JAX_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "own" / "lagging-synthetic"
    folder.mkdir(parents=True)
    real = "\n".join(" ".join(line) + " " for line in [*lagging_synthetic().train])
    (folder / "synthetic_data.txt.gz").write_bytes(gzip.compress(real.encode()))
    with pytest.raises(InputError, match=r"synthetic_data.txt.gz is not the published file"):
        lagging_synthetic(folder=tmp_path / "own")
