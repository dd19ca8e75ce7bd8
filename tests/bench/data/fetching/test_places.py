import hashlib

import pytest

from bench.data.fetching.places import cache_folder, find, named_folder
from bench.data.named_data import named_data
from bench.data.splits import Splits
from bench.language.errors import InputError
from tests.bench.data.fetching.published import CONTENT, STORED, published


@named_data(kind="text", examples=1, licence="none", files=(published(),))
def my_words(content):
    """Words."""
    return Splits([(content.decode(),)], [], [], "One.")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A named folder and the cache, both empty."""
    folder = tmp_path / "own"
    for place in (folder, tmp_path / "cache" / "data"):
        (place / "words").mkdir(parents=True)
    monkeypatch.setenv("VAE_JAX_DATA", str(folder))
    monkeypatch.setenv("VAE_JAX_CACHE", str(tmp_path / "cache"))
    return folder, tmp_path / "cache" / "data"


def test_the_named_folder_is_looked_at_first_and_either_form_is_found(places):
    folder, cache = places
    assert cache_folder() == cache
    assert named_folder() == folder
    assert find(published(), folder) is None
    (cache / "words" / "lines.txt").write_bytes(CONTENT)
    assert find(published(), folder) == cache / "words" / "lines.txt"
    (folder / "words" / "lines.txt.gz").write_bytes(STORED)
    assert find(published(), folder) == folder / "words" / "lines.txt.gz"
    assert find(published(), None) == cache / "words" / "lines.txt"
    assert my_words().train == [(CONTENT.decode(),)]


def test_without_names_there_is_no_folder_and_the_cache_is_the_users(monkeypatch, tmp_path):
    for name in ("VAE_JAX_DATA", "VAE_JAX_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert named_folder() is None
    assert cache_folder() == tmp_path / "vae-jax" / "data"


def test_a_name_that_is_no_folder_is_said(monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"--data-dir names '.*nowhere', which is no folder: give one that holds data"):
        named_folder(tmp_path / "nowhere")
    monkeypatch.setenv("VAE_JAX_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="VAE_JAX_DATA names"):
        named_folder()


def test_a_missing_file_is_said_with_the_cure(places):
    with pytest.raises(InputError) as caught:
        my_words()
    assert str(caught.value) == (
        f"words/lines.txt of my-words is neither in {places[0]} nor in {places[1]}: run python -m bench data fetch "
        "my-words, or name a folder that has it with --data-dir or VAE_JAX_DATA"
    )


@pytest.mark.parametrize(
    ("name", "stored", "said"),
    [
        ("lines.txt", CONTENT[:-1], "is not the published file (the SHA-256 of its 179,999 bytes of content is "),
        ("lines.txt", b"", "is not the published file (the SHA-256 of its 0 bytes of content is e3b0c44298fc..., not "),
        (
            "lines.txt.gz",
            STORED[:-9],
            f"is truncated or damaged ({len(STORED) - 9:,} bytes do not decompress): replace it",
        ),
        ("lines.txt.gz", STORED[:50] + b"?" + STORED[51:], "is "),
    ],
)
def test_a_damaged_file_is_said_with_the_cure(places, name, stored, said):
    path = places[0] / "words" / name
    path.write_bytes(stored)
    with pytest.raises(InputError) as caught:
        my_words()
    assert str(caught.value).startswith(f"{path} {said}")
    assert str(caught.value).endswith(": replace it, or delete it and run python -m bench data fetch")
    assert path.read_bytes() == stored


def test_a_file_that_cannot_be_opened_is_said(places, monkeypatch):
    path = places[0] / "words" / "lines.txt"
    path.write_bytes(CONTENT)

    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", denied)
    with pytest.raises(InputError, match=r"lines.txt cannot be read \(Permission denied\): replace it"):
        my_words()


def test_the_checksum_is_that_of_the_content(places):
    assert published().verified(STORED) == published().verified(CONTENT) == CONTENT
    assert published().sha256 == hashlib.sha256(CONTENT).hexdigest()
