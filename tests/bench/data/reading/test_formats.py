import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from bench.data.reading.binary_text import read_binary_text
from bench.data.reading.idx import read_idx
from bench.data.reading.intensities import intensities
from bench.data.reading.lines import read_lines
from bench.data.reading.table import read_table


@given(arrays(np.uint8, array_shapes(max_dims=3)))
def test_idx_is_read_as_it_is_written(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    read = read_idx(header + array.tobytes())
    assert read.shape == array.shape
    assert (read == array).all()


def test_what_is_no_idx_is_refused():
    with pytest.raises(ValueError, match="begins with 0 0 8, not 31 139 8"):
        read_idx(b"\x1f\x8b\x08\x00")


@given(arrays(bool, (3, 2, 4)))
def test_binary_text_is_read_as_it_is_written(images):
    text = "".join(" ".join(str(int(pixel)) for pixel in image.ravel()) + "\n" for image in images)
    read = read_binary_text(text.encode(), 2, 4)
    assert read.dtype == bool
    assert (read == images).all()


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r\ufeff", exclude_categories=["Cs"]), min_size=1), min_size=1)
)
def test_lines_of_any_script_are_read_as_they_are_written(lines):
    lines = [line for line in lines if line.strip()] or ["a"]
    for end in ("", "\n", "\r\n"):
        text = (end or "\n").join(lines) + end
        assert read_lines(text.encode()) == [tuple(line) for line in lines]
        assert read_lines(b"\xef\xbb\xbf" + text.encode(), words=True) == [tuple(line.split()) for line in lines]


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2), elements=st.floats(allow_nan=False, width=64)))
def test_a_table_is_read_as_it_is_written(array):
    text = "".join(",".join(map(repr, row)) + "\n" for row in array.tolist())
    header = ",".join(f'"column {column}"' for column in range(array.shape[1])) + "\n"
    for before, first in (("", 1), (header, 2)):
        read, lines = read_table((before + text).encode())
        assert (read == array).all()
        assert lines == list(range(first, first + len(array)))


def test_types_say_their_range():
    assert intensities(np.array([0, 255], np.uint8)).tolist() == [0, 1]
    assert intensities(np.array([False, True])).tolist() == [0, 1]
    assert intensities(np.array([-2.5, 1e30])).dtype == np.float32
