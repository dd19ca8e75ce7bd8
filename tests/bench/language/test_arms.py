import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.language.arms import Arm, Term, parse_arms, parse_term
from bench.language.errors import InputError

BASES = ("baseline", "trainable")


def texts(text):
    return [str(arm) for arm in parse_arms(text, BASES)]


def test_the_first_base_goes_without_saying():
    assert texts("gelu") == texts("baseline+gelu") == ["gelu"]
    assert texts("baseline") == ["baseline"]
    assert texts("trainable + rezero[ alpha = 0.1 ]") == ["trainable+rezero[alpha=0.1]"]
    assert parse_arms("trainable", BASES) == [Arm("trainable", (), "baseline")]


def test_commas_inside_brackets_do_not_split():
    assert texts("a[x=1,y=2],b+c[z=true]") == ["a[x=1,y=2]", "b+c[z=true]"]


def test_a_list_is_a_sweep():
    assert texts("free_bits[nats=[0.1,0.5]]") == ["free_bits[nats=0.1]", "free_bits[nats=0.5]"]
    assert len(texts("a[x=[1,2],y=[3,4,5]]+b[z=[1,2]]")) == 12


def test_values_keep_their_type_but_a_whole_number_is_an_int():
    (term,) = parse_term("a[b=1,c=1.0,d=true,e=name,f=-1e-3]")
    assert term == Term("a", (("b", 1), ("c", 1), ("d", True), ("e", "name"), ("f", -1e-3)))
    assert [type(value) for _, value in term.parameters] == [int, int, bool, str, float]


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**400), 10**400)


def spellings(number):
    """Ways to write one number; a float only where it is that number."""
    yield json.dumps(number)
    if abs(number) < 1e300 and float(number) == number:
        yield from (json.dumps(float(number)), f"{float(number):.17e}")
    if number == int(number):
        yield str(int(number))
    if number == 0:
        yield "-0.0"


@settings(max_examples=500, deadline=None)
@given(NUMBERS)
def test_equal_numbers_are_one_arm_and_an_arms_text_means_itself(number):
    arms = [parse_arms(f"a[x={text}]", BASES) for text in spellings(number)]
    assert len({str(arm) for (arm,) in arms}) == 1
    ((arm,), *_) = arms
    assert parse_arms(str(arm), BASES) == [arm]
    ((_, value),) = arm.remedies[0].parameters
    assert value == number
    assert number < 0 or not str(value).startswith("-")
    # What is made of values, and not of a text, has the same text.
    assert str(Term("a", (("x", number),))) == str(arm)


def test_a_star_stands_for_every_name():
    assert [str(arm) for arm in parse_arms("trainable+*,relu,*[x=[1,2]]", BASES, iter(["gelu", "tanh"]))] == [
        "trainable+gelu", "trainable+tanh", "relu", "gelu[x=1]", "gelu[x=2]", "tanh[x=1]", "tanh[x=2]",
    ]  # fmt: skip


PATHS = ["mine.npy", "./faces", "../a-b/c_d.e", "~/x.csv", "/data/my faces, cut [2].npy",
         'a "b" c.txt', "c:\\\\x.npy", "唐詩.txt", "a=b/c",
         "1.5/x", "*.npy", "a+b.npy", "x]y.npy"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_a_value_and_stands_in_quotes_where_the_grammar_needs_them(path):
    text = str(Term("a", (("data", path), ("b", 1))))
    assert parse_term(text) == [Term("a", (("data", path), ("b", 1)))]
    assert parse_term(f"a[data={json.dumps(path)},b=1]") == parse_term(text)
    # Any sign of the grammar inside quotes is none.
    assert [str(arm) for arm in parse_arms(f"{text}+c,d", BASES)] == [f"{text}+c", "d"]
    assert ('"' in text) == any(sign in path for sign in ' []+,*="\\')


def test_quotes_make_one_word_and_mean_nothing_else():
    (term,) = parse_term('a[b="name",c="500",d="true",e="null",f="1.5",g="NaN"]')
    assert term.parameters == (("b", "name"), ("c", 500), ("d", True), ("e", "null"), ("f", 1.5), ("g", "NaN"))
    assert str(term) == 'a[b=name,c=500,d=true,e="null",f=1.5,g="NaN"]'
    assert parse_term(str(term)) == [term]


def test_an_arms_text_means_itself():
    for text in ("baseline", "gelu+rezero[alpha=0.1]", "trainable+a[b=true,c=x]+d"):
        assert texts(text) == [text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an arm is empty"),
        ("gelu,,adam", "an arm is empty"),
        ("gelu,", "an arm is empty"),
        ("gelu+", "dangling '+'"),
        ("+gelu", "dangling '+'"),
        ("gelu[", "brackets in 'gelu['"),
        ("gelu]", "brackets in 'gelu]'"),
        ("gelu[x]", "'x' in 'gelu[x]' is no parameter"),
        ("gelu[x=]", "is no parameter"),
        ("gelu[]", "is no parameter"),
        ("gelu[x=1]y", "is no name with parameters"),
        ("gelu[x=1,x=2]", "'x' is given twice"),
        ("gelu[x=[1,]]", "empty member"),
        ("gelu[x=NaN]", "is not finite"),
        ("gelu[x=1e999]", "is not finite"),
        (f"gelu[x={'1' * 5000}]", "is no value"),
        ("trainable+*", "is no name"),
        ("gelu[x=null]", "is no value"),
        ("gelu[x={}]", "is no value"),
        ("gelu[x=my faces.npy]", "in double quotes where it has spaces"),
        ('gelu[x="]', "the quotes in"),
        ('gelu[x="\\n"]', "is no value"),
        ('gelu[x=""]', "is no value"),
        ('gelu[x="a"b]', "is no value"),
        ("1gelu", "is no name"),
        ("gelu+baseline", "is a base: put it first"),
        ("baseline[x=1]", "takes no parameters"),
    ],
)
def test_what_is_not_of_the_grammar_is_said_in_a_sentence(text, said):
    with pytest.raises(InputError) as caught:
        parse_arms(text, BASES)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
