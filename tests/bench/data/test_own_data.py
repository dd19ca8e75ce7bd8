import io

import numpy as np
import pytest
from PIL import Image

from bench.data.own_data import own_data
from bench.data.text.encoding import encode_splits
from bench.language.errors import InputError

KINDS = "an .npy, .npz, .csv or .txt file, or a folder of PNG or JPEG images"


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def png(array, mode=None, kind="PNG"):
    file = io.BytesIO()
    image = Image.fromarray(np.asarray(array))
    (image if mode is None else image.convert(mode)).save(file, kind)
    return file.getvalue()


def grey(seed, height=6, width=4):
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def with_value(array, value, *place):
    array[place] = value
    return array


def all_rows(splits, name):
    return np.concatenate([rows[name] for rows in (splits.train, splits.validation, splits.test)])


def test_an_array_of_floats(tmp_path):
    path = tmp_path / "mine.npy"
    np.save(path, numbers(50, 3))
    splits = own_data(path)
    assert splits.sizes == (40, 5, 5)
    assert splits.train["values"].dtype == np.float32
    assert sorted(all_rows(splits, "values")[:, 0]) == sorted(numbers(50, 3)[:, 0].astype(np.float32))
    assert splits.description == (
        "mine.npy: 50 examples of 3 numbers. Split 80/10/10 at random with seed 0: 40 / 5 / 5 examples."
    )
    assert (own_data(path, seed=1).test["values"] != splits.test["values"]).any()
    assert own_data(path, examples=7).sizes == (7, 5, 5)
    assert own_data(path, in_blocks=True).description.endswith(
        "in 10 contiguous blocks, drawn with seed 0: 40 / 5 / 5 examples."
    )


def test_bytes_are_divided_by_255(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3), np.uint8)
    np.savez(tmp_path / "mine.npz", first=images, second=numbers(3, 1))
    splits = own_data(tmp_path / "mine.npz", array="first", unit_interval=True)
    assert splits.train["images"].shape == (24, 4, 5, 3)
    assert all_rows(splits, "images").max() == np.float32(images.max() / 255)
    assert splits.description.startswith("mine.npz: 30 examples of 4 x 5 x 3 numbers, bytes divided by 255. Split ")


def test_images_with_labels(tmp_path):
    labels = np.arange(40) % 3
    np.savez(tmp_path / "mine.npz", images=numbers(40, 4, 5), labels=labels, more=numbers(3, 1))
    splits = own_data(tmp_path / "mine.npz")
    assert [*splits.train] == ["images", "labels"]
    assert splits.train["labels"].dtype == np.int32
    home = {image.tobytes(): label for image, label in zip(numbers(40, 4, 5).astype(np.float32), labels, strict=True)}
    for image, label in zip(all_rows(splits, "images"), all_rows(splits, "labels"), strict=True):
        assert home[image.tobytes()] == label


def test_a_table_with_and_without_a_header(tmp_path):
    rows = "".join(f"{number},{-number / 2},1e-3\n" for number in range(20))
    (tmp_path / "plain.csv").write_text(rows)
    (tmp_path / "headed.csv").write_text("a,b,c\r\n" + rows.replace("\n", "\r\n"))
    plain, headed = own_data(tmp_path / "plain.csv"), own_data(tmp_path / "headed.csv")
    assert plain.sizes == (16, 2, 2)
    assert (plain.train["values"] == headed.train["values"]).all()
    assert sorted(all_rows(plain, "values")[:, 0]) == list(range(20))


@pytest.mark.parametrize(("mode", "shape"), [(None, (6, 4)), ("1", (6, 4)), ("RGB", (6, 4, 3))])
def test_a_folder_of_images(tmp_path, mode, shape):
    for number in range(12):
        (tmp_path / f"{number:02}.PNG").write_bytes(png(grey(number), mode))
    (tmp_path / "notes.txt").write_text("not read")
    (tmp_path / ".hidden").write_text("")
    splits = own_data(tmp_path, in_blocks=True, unit_interval=True)
    assert splits.train["images"].shape == (10, *shape)
    assert splits.train["images"].dtype == np.float32
    assert "what else is in the folder, 1 entries, is not read." in splits.description
    if mode is None:
        assert {image.tobytes() for image in all_rows(splits, "images")} == {
            (grey(number).astype(np.float32) / np.float32(255)).tobytes() for number in range(12)
        }


def test_photographs(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.jpg").write_bytes(png(grey(number, 16, 8), "RGB", "JPEG"))
    assert own_data(tmp_path).train["images"].shape == (8, 16, 8, 3)


def test_text_of_any_script(tmp_path):
    lines = ["春眠不覺曉", "שלום", "Да, конечно", "naïve", "a b", "c d", "e", "f", "g", "h"]
    (tmp_path / "mine.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    splits = own_data(tmp_path / "mine.txt", unknown="<unk>")
    assert splits.sizes == (8, 1, 1)
    assert sorted("".join(line) for line in [*splits.train, *splits.validation, *splits.test]) == sorted(lines)
    encoded, _ = encode_splits(splits)
    assert encoded.train["tokens"].dtype == np.int32
    words = own_data(tmp_path / "mine.txt", words=True)
    assert ("Да,", "конечно") in [*words.train, *words.validation, *words.test]
    assert words.description.startswith("mine.txt: 10 lines of words.")


def test_what_comes_again_stays_in_one_split(tmp_path):
    np.save(tmp_path / "mine.npy", np.repeat(numbers(20, 2), 3, axis=0))
    splits = own_data(tmp_path / "mine.npy")
    homes = [{row.tobytes() for row in rows["values"]} for rows in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, homes)) == 20
    assert "identical examples in one split" in splits.description


# What a person may give: files by name, options, the name to load, and what is said after the path.
MISTAKES = {
    "missing file": ({}, {}, "mine.npy", f"there is no PATH: give {KINDS}"),
    "unknown ending": (
        {"mine.pkl": b""},
        {},
        "mine.pkl",
        f"PATH ends in '.pkl', which is no kind that is known: give {KINDS}",
    ),
    "no ending": ({"mine": b""}, {}, "mine", "PATH ends in '', which is no kind"),
    "empty npy": ({"m.npy": b""}, {}, "m.npy", "PATH is truncated or damaged ("),
    "truncated npy": (
        {"m.npy": npy(numbers(9, 9))[:-5]},
        {},
        "m.npy",
        "PATH is truncated or damaged (*): write it anew with numpy.save or numpy.savez",
    ),
    "truncated head": ({"m.npy": npy(numbers(9, 9))[:40]}, {}, "m.npy", "PATH is truncated or damaged ("),
    "corrupt head": (
        {"m.npy": npy(numbers(9, 9)).replace(b"'shape': (9", b"'shape': (x")},
        {},
        "m.npy",
        "PATH is truncated",
    ),
    "truncated npz": ({"m.npz": npz(a=numbers(9, 9))[:-30]}, {}, "m.npz", "PATH is truncated or damaged ("),
    "corrupt npz": (
        {"m.npz": npz(a=numbers(90, 9))[:900] + b"?" * 40 + npz(a=numbers(90, 9))[940:]},
        {},
        "m.npz",
        "PATH is truncated or damaged (",
    ),
    "several arrays": (
        {"m.npz": npz(a=numbers(9, 9), b=numbers(9, 9))},
        {},
        "m.npz",
        "PATH holds 2 arrays (a, b): call the one that is meant images, and numbers of classes",
    ),
    "labels alone": ({"m.npz": npz(labels=np.arange(9))}, {}, "m.npz", "PATH holds 1 arrays (labels): call the one"),
    "too few labels": (
        {"m.npz": npz(images=numbers(9, 2), labels=np.arange(8))},
        {},
        "m.npz",
        "PATH holds labels of type int64 and shape 8 beside 9 examples: give one whole number for each",
    ),
    "labels that are words": (
        {"m.npz": npz(images=numbers(9, 2), labels=np.array(list("abcabcabc")))},
        {},
        "m.npz",
        "PATH holds labels of type <U1 and shape 9 beside 9 examples: give one whole number for each",
    ),
    "a label below 0": (
        {"m.npz": npz(images=numbers(9, 2), labels=np.array([0, 1, -1] * 3))},
        {},
        "m.npz",
        "PATH: index [2] of labels holds -1: number two classes or more from 0",
    ),
    "one class": (
        {"m.npz": npz(images=numbers(9, 2), labels=np.ones(9, int))},
        {},
        "m.npz",
        "PATH: all labels are the same: number two classes or more from 0",
    ),
    "another array": (
        {"m.npz": npz(a=numbers(9, 9))},
        {"array": "c"},
        "m.npz",
        "PATH has no array 'c': name one of those in it (a)",
    ),
    "a name for one array": (
        {"m.npy": npy(numbers(9, 9))},
        {"array": "c"},
        "m.npy",
        "PATH holds one array without a name, not 'c': leave the name out",
    ),
    "objects": (
        {"m.npy": npy(np.array([{}, []], object), allow_pickle=True)},
        {},
        "m.npy",
        "PATH holds Python objects, which could run anything when they are loaded: write numbers, as numpy.save(",
    ),
    "a pickle": ({"m.npy": b"\x80\x04]\x94."}, {}, "m.npy", "PATH holds Python objects, which could run anything"),
    "one row": (
        {"m.npy": npy(numbers(9))},
        {},
        "m.npy",
        "PATH holds an array of shape 9: give at least one example along",
    ),
    "no rows": (
        {"m.npy": npy(numbers(0, 9))},
        {},
        "m.npy",
        "PATH holds an array of shape 0 x 9: give at least one example",
    ),
    "whole numbers": (
        {"m.npy": npy(np.arange(20).reshape(10, 2))},
        {},
        "m.npy",
        "PATH: whole numbers of type int64 have no range that is known: store them as uint8, of which 0 to 255 is "
        "divided by 255, or scale them yourself and store float32",
    ),
    "complex numbers": (
        {"m.npy": npy(numbers(9, 9) * 1j)},
        {},
        "m.npy",
        "PATH: complex128 is no type of real numbers: store",
    ),
    "words": (
        {"m.npy": npy(np.array([["a"], ["b"]]))},
        {},
        "m.npy",
        "PATH: <U1 is no type of real numbers: store uint8",
    ),
    "not a number": (
        {"m.npy": npy(with_value(numbers(9, 4), np.nan, 7, 2))},
        {},
        "m.npy",
        "PATH, index [7, 2] holds nan, and numbers must be finite in float32: mend",
    ),
    "infinite": (
        {"m.npy": npy(with_value(numbers(9, 2, 3), -np.inf, 1, 0, 2))},
        {},
        "m.npy",
        "PATH, index [1, 0, 2] holds -inf, and",
    ),
    "infinite in float32": (
        {"m.npy": npy(with_value(numbers(9, 4), 1e39, 5, 0))},
        {},
        "m.npy",
        "PATH, index [5, 0] holds inf, and",
    ),
    "out of range": (
        {"m.npy": npy(with_value(numbers(9, 4), 1.5, 2, 3))},
        {"unit_interval": True},
        "m.npy",
        "PATH, index [2, 3] holds 1.5, and numbers must lie in [0, 1]: scale the numbers",
    ),
    "constant": (
        {"m.npy": npy(np.ones((9, 4)))},
        {},
        "m.npy",
        "PATH: all 9 examples are the same: there is nothing to learn",
    ),
    "one example": (
        {"m.npy": npy(numbers(1, 4))},
        {},
        "m.npy",
        "PATH: three splits need at least 3 different examples, and among 1 there are 1: give more",
    ),
    "few for blocks": (
        {"m.npy": npy(numbers(9, 4))},
        {"in_blocks": True},
        "m.npy",
        "PATH: 9 examples make no 10 blocks",
    ),
    "a part of few": (
        {"m.npy": npy(numbers(10, 4))},
        {"examples": 9},
        "m.npy",
        "examples=9 cannot be taken of 8 training examples",
    ),
    "ragged": (
        {"m.csv": b"a,b\n1,2\n3\n"},
        {},
        "m.csv",
        "PATH, line 3 has 1 columns, the first line has 2: give every line as many",
    ),
    "a word": (
        {"m.csv": b"a,b\n1,2\n3,four\n"},
        {},
        "m.csv",
        "PATH, line 3, column 2 holds 'four', which is no number: give a number, with a point for the decimals and a "
        "comma between columns",
    ),
    "a word in the first line": (
        {"m.csv": b"label,1\n1,2\n"},
        {},
        "m.csv",
        "PATH, line 1, column 1 holds 'label', which is no number: give a number, with a point for the decimals and a "
        "comma between columns (a header, which may be the first line, has no number in it)",
    ),
    "semicolons": ({"m.csv": b"1;2\n3;4\n"}, {}, "m.csv", "PATH, line 2, column 1 holds '3;4', which is no number"),
    "nothing between commas": (
        {"m.csv": b"1,2\n3,\n"},
        {},
        "m.csv",
        "PATH, line 2, column 2 holds '', which is no number",
    ),
    "an empty line of a table": (
        {"m.csv": b"1,2\n\n3,4\n"},
        {},
        "m.csv",
        "PATH, line 2 is empty: each line must be an example",
    ),
    "an open quote": (
        {"m.csv": b'1,2\n3,"4\n5,6\n'},
        {},
        "m.csv",
        "PATH, line 3 is no row of a table (unexpected end of data): mend",
    ),
    "not a number in a table": (
        {"m.csv": b"a,b\n1,2\n3,nan\n5,6\n"},
        {},
        "m.csv",
        "PATH, line 3, column 2 holds nan, and",
    ),
    "a table of nothing": (
        {"m.csv": b""},
        {},
        "m.csv",
        "PATH holds an array of shape 0 x 0: give at least one example",
    ),
    "a table of a header": (
        {"m.csv": b"a,b\n"},
        {},
        "m.csv",
        "PATH holds an array of shape 0 x 2: give at least one example",
    ),
    "a table that is no text": (
        {"m.csv": b"1,2\n3,\xff\n"},
        {},
        "m.csv",
        "PATH is not in UTF-8 (byte 0xff at offset 6, in line 2)",
    ),
    "not in UTF-8": (
        {"m.txt": "a\nb\nnaïve\n".encode("latin-1")},
        {},
        "m.txt",
        "PATH is not in UTF-8 (byte 0xef at offset 6, in line 3): save it as UTF-8",
    ),
    "not in UTF-8 after a mark": (
        {"m.txt": b"\xef\xbb\xbfa\n\xff\n"},
        {},
        "m.txt",
        "PATH is not in UTF-8 (byte 0xff at offset 5, in line 2)",
    ),
    "an empty line": (
        {"m.txt": b"a\n\nb\n"},
        {},
        "m.txt",
        "PATH, line 2 is empty: each line must be an example, so delete it",
    ),
    "a line of spaces": ({"m.txt": b"a\nb\n \t\n"}, {}, "m.txt", "PATH, line 3 is empty"),
    "no text": (
        {"m.txt": b""},
        {},
        "m.txt",
        "PATH is empty: give at least one example, each in a line of its own",
    ),
    "one line": (
        {"m.txt": b"a\n"},
        {},
        "m.txt",
        "PATH: three splits need at least 3 different examples, and among 1 there are 1",
    ),
    "one line again and again": (
        {"m.txt": b"a\n" * 9},
        {},
        "m.txt",
        "PATH: three splits need at least 3 different examples, and among 9 there are 1",
    ),
    "no images": (
        {"mine/a.txt": b""},
        {},
        "mine",
        "PATH holds no PNG or JPEG image: give a folder with a .png or .jpg file for",
    ),
    "another size": (
        {"mine/a.png": png(grey(0)), "mine/b.png": png(grey(1, 6, 5))},
        {},
        "mine",
        "PATH/b.png is 5 x 6 pixels of mode L, a.png is 4 x 6 pixels of mode L: bring all to one size and mode",
    ),
    "another mode": (
        {"mine/a.png": png(grey(0)), "mine/b.png": png(grey(1), "RGB")},
        {},
        "mine",
        "PATH/b.png is 4 x 6 pixels of mode RGB, a.png is 4 x 6 pixels of mode L: bring all to one size and mode",
    ),
    "an unknown mode": (
        {"mine/a.png": png(grey(0), "RGBA")},
        {},
        "mine",
        "PATH/a.png has the mode RGBA, not 1 (one bit), L (grey) or RGB: convert it, as PIL.Image",
    ),
    "truncated image": (
        {"mine/a.png": png(grey(0)), "mine/b.png": png(grey(1, 60, 40))[:500]},
        {},
        "mine",
        "PATH/b.png is truncated or damaged (",
    ),
    "truncated photograph": (
        {"mine/a.jpg": png(grey(1, 600, 400), "L", "JPEG")[:9000]},
        {},
        "mine",
        "PATH/a.jpg is truncated or damaged (",
    ),
    "no image": (
        {"mine/a.png": b"hello"},
        {},
        "mine",
        "PATH/a.png is no image that can be read, for all its name: replace it",
    ),
    "corrupt image": (
        {"mine/a.png": png(grey(1, 60, 40))[:60] + b"?" * 20 + png(grey(1, 60, 40))[80:]},
        {},
        "mine",
        "PATH/a.png is truncated or damaged (",
    ),
    "black images": (
        {f"mine/{name}.png": png(np.zeros((3, 3), np.uint8)) for name in "abcd"},
        {},
        "mine",
        "PATH: all 4 examples are the same: there is nothing to learn, give different ones",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_written(tmp_path, mistake):
    files, options, name, said = MISTAKES[mistake]
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError) as caught:
        own_data(tmp_path / name, **options)
    text = str(caught.value)
    begins, _, ends = said.replace("PATH", str(tmp_path / name)).partition("*")
    assert text.startswith(begins), text
    assert ends in text
    assert "\n" not in text
    assert {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    } == files


@pytest.mark.parametrize("length", range(0, 200, 7))
@pytest.mark.parametrize("name", ["m.npy", "m.npz", "mine/a.png"])
def test_a_file_cut_anywhere_is_one_sentence(tmp_path, name, length):
    whole = {"m.npy": npy(numbers(4, 4)), "m.npz": npz(a=numbers(4, 4)), "mine/a.png": png(grey(0, 12, 12))}[name]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(whole[:length])
    with pytest.raises(InputError) as caught:
        own_data((tmp_path / name).parent if name.startswith("mine") else tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
