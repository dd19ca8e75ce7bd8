import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.text.vocabulary import BEGIN, END, PAD, Vocabulary
from bench.language.errors import InputError

# Any script, and no half of a pair.
CHARACTERS = st.characters(exclude_categories=["Cs"])
SENTENCES = st.lists(st.lists(CHARACTERS, max_size=12).map(tuple), min_size=1, max_size=20)


@given(SENTENCES, st.integers(0, 3))
def test_what_is_encoded_is_decoded(sentences, more):
    vocabulary = Vocabulary.of(sentences)
    length = max(map(len, sentences)) + 1 + more
    rows = vocabulary.encode(sentences, length)
    assert rows["tokens"].dtype == rows["lengths"].dtype == np.int32
    assert rows["tokens"].shape == (len(sentences), length)
    assert vocabulary.decode(rows["tokens"]) == sentences
    for row, used, sentence in zip(rows["tokens"], rows["lengths"], sentences, strict=True):
        assert used == len(sentence) + 1
        assert row[used - 1] == vocabulary.tokens.index(END)
        assert not row[used:].any()
        assert (row[:used] > 1).all()


def test_numbers_go_by_how_often_and_then_by_spelling():
    sentences = [("b", "c"), ("a", "b"), ("d", "<unk>")]
    assert Vocabulary.of(sentences, "<unk>").tokens == (PAD, BEGIN, END, "<unk>", "b", "a", "c", "d")
    assert Vocabulary.of(sentences[:2]).tokens == (PAD, BEGIN, END, "b", "a", "c")
    assert Vocabulary.of(sentences, "<unk>") == Vocabulary.of(sentences[::-1], "<unk>")
    assert len(Vocabulary.of(sentences, "<unk>", at_least=2)) == 5


def test_what_is_not_there_becomes_unknown():
    vocabulary = Vocabulary.of([("a", "a", "b")], "<unk>", at_least=2)
    rows = vocabulary.encode([("a", "b", "x", "<unk>")])
    assert rows["tokens"].tolist() == [[4, 3, 3, 3, 2]]
    assert vocabulary.decode(rows["tokens"]) == [("a", "<unk>", "<unk>", "<unk>")]


def test_a_decoded_row_ends_where_it_ends():
    vocabulary = Vocabulary.of([("a", "b")])
    assert vocabulary.decode([[1, 3, 2, 4, 0], [3, 4, 3, 4, 3]]) == [("a",), ("a", "b", "a", "b", "a")]


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (
            lambda known: known.encode([("the", "cow"), ("the", "dog")]),
            "sentence 2, 'the dog', has 'dog', which is not among the 5 tokens of the training set: leave it out, or "
            "train with one symbol for such, as the workload's unknown=true",
        ),
        (
            lambda known: known.encode([("the", PAD)]),
            "sentence 1, 'the <pad>', has '<pad>', which is not among",
        ),
        (
            lambda known: known.encode([("the", "cow")], 2),
            "a sentence of 2 tokens and its end do not fit into rows of 2: make them longer",
        ),
        (
            lambda known: known.decode([[3, 5]]),
            "numbers from 3 to 5 are no rows of this vocabulary: they must lie from 0 to 4",
        ),
        (lambda known: known.decode([[-1]]), "numbers from -1 to -1 are no rows"),
        (lambda _: Vocabulary.of([("a",)], at_least=2), "at_least=2 leaves tokens out: give a symbol for them"),
        (lambda _: Vocabulary.of([("a", "<end>")]), "the text has the token '<end>', which is a special symbol"),
    ],
)
def test_a_mistake_is_one_sentence(do, said):
    with pytest.raises(InputError) as caught:
        do(Vocabulary.of([("the", "cow")]))
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_character_is_said_in_its_line():
    with pytest.raises(InputError, match="sentence 1, '春眠', has '眠', which is not among the 4 tokens"):
        Vocabulary.of([("春",)]).encode([("春", "眠")])
