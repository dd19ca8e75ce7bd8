import numpy as np
import pytest

from bench.data import listing
from bench.data.named_data import named_data
from bench.data.sets.agreement import agreement
from bench.data.splits import Splits
from bench.data.text.sentences import sentences
from bench.language.errors import InputError


@pytest.fixture
def lines(monkeypatch):
    """A set of lines as characters, one of which the test set alone has."""

    @named_data(kind="text", examples=4, licence="none")
    def few_lines():
        return Splits([tuple("ab a"), tuple("b")], [tuple("a")], [tuple("ac")], "As it is.")

    monkeypatch.setattr(listing, "named_sets", lambda: {"few-lines": few_lines})


def test_words_or_characters_as_usual_or_as_asked():
    usual, characters = (sentences("agreement", tokens) for tokens in ("usual", "characters"))
    assert usual.train["tokens"].shape == (4000, 12)
    assert usual.vocabulary.decode(usual.test["tokens"]) == agreement().test
    texts = characters.vocabulary.decode(characters.test["tokens"])
    assert ["".join(text) for text in texts] == [" ".join(sentence) for sentence in agreement().test]
    np.testing.assert_array_equal(sentences("agreement", "words").train["tokens"], usual.train["tokens"])


def test_the_mean_is_of_what_is_to_be_told():
    found = sentences("agreement", length=6)
    counted = np.zeros(len(found.vocabulary or ()))
    for row, length in zip(found.train["tokens"], found.train["lengths"], strict=True):
        for token in row[:length]:
            counted[token] += 1
    np.testing.assert_allclose(found.mean, counted / counted.sum(), rtol=1e-6)
    assert found.mean[0] == found.mean[1] == 0
    assert found.mean[2] == pytest.approx(len(found.train["lengths"]) / counted.sum())
    assert found.tokens == np.mean([len(each) + 1 for each in agreement().test if len(each) <= 6])
    assert found.train["tokens"].shape[1] == 7


def test_what_training_does_not_show_is_an_error_or_one_symbol(lines):
    with pytest.raises(InputError, match=r"sentence 1, 'ac', has 'c', which is not among the 6 tokens"):
        sentences("few-lines")
    found = sentences("few-lines", unknown=True)
    assert found.test["tokens"][0, :3].tolist() == [4, 3, 2]
    # What occurs once is as good as not shown, and among words that is usual.
    assert "<unk>" in sentences("few-lines", at_least=2).vocabulary.tokens
    words = sentences("few-lines", "words")
    assert words.vocabulary.decode(words.test["tokens"]) == [("<unk>",)]


def test_a_part_of_the_training_set_is_used():
    few = sentences("agreement", examples=50)
    assert [len(each["lengths"]) for each in (few.train, few.validation, few.test)] == [50, 500, 500]


@pytest.mark.parametrize(("asked", "said"), [
    ({"data": "digits"}, "data 'digits' holds images, and this workload is of text"),
    ({"data": "agreement", "tokens": "bytes"}, "tokens must be one of usual, characters, words, got 'bytes'"),
    ({"data": "agreement", "length": -1}, "length must be at least 0, which is for all, got -1"),
    ({"data": "agreement", "length": 3}, "max_length=3 leaves 0 / 0 / 0 sentences: raise it"),
    ({"data": "agrement"}, "unknown data set 'agrement': did you mean 'agreement'"),
])  # fmt: skip
def test_what_is_not_there_is_said_in_a_sentence(asked, said):
    with pytest.raises(InputError, match=said):
        sentences(**asked)


def test_words_of_ones_own_are_words_however_short(tmp_path):
    mine = tmp_path / "mine.txt"
    draw = np.random.default_rng(0)
    mine.write_text("".join(" ".join(draw.choice([*"春眠不觉晓"], size)) + "\n" for size in draw.integers(3, 8, 300)))
    data = sentences(str(mine), tokens="words")
    assert set(data.vocabulary.tokens[3:]) == set("春眠不觉晓")
    assert data.train["tokens"].shape[1] == 8
