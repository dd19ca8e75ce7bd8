import pytest

from bench.language.arms import parse_term
from bench.language.errors import InputError
from bench.language.widths import widths


@pytest.mark.parametrize(
    ("text", "expected"), [("500", (500,)), ("128-64", (128, 64)), ("16x3", (16,) * 3), ("8x2-4-2x2", (8, 8, 4, 2, 2))]
)
def test_widths_are_read_as_they_are_typed(text, expected):
    assert widths(text) == expected
    (term,) = parse_term(f"image-dense[widths={text}]")
    assert str(term) == f"image-dense[widths={text}]"


@pytest.mark.parametrize("text", ["", "x", "128-", "-64", "128x", "128xx2", "a-b", "1.5", "0", "64x0", "8x99999"])
def test_what_is_no_width_is_refused_with_the_form(text):
    with pytest.raises(InputError, match="widths"):
        widths(text)


def test_several_widths_are_a_sweep():
    assert len(parse_term("image-dense[widths=[128-64,500]]")) == 2
