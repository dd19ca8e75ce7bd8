import os
import re

import pytest

from bench.data.fetching.download import download
from bench.language.errors import InputError
from tests.bench.data.fetching.published import CONTENT, STORED, nobody, published, server


@pytest.fixture(scope="module")
def address():
    with server() as folder:
        yield folder


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def below(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.name.startswith(".")
    )


@pytest.mark.parametrize(("name", "stored"), [("good.gz", STORED), ("good", CONTENT)])
def test_either_form_is_taken_and_named_for_what_it_is(address, tmp_path, name, stored):
    seen = []
    path = download(published(address + name), tmp_path, seen.append)
    assert below(tmp_path) == ["words/lines.txt.gz" if name.endswith(".gz") else "words/lines.txt"]
    assert path.read_bytes() == stored
    assert seen[-1] == len(stored)
    assert max(seen) <= len(stored)


@pytest.mark.parametrize("first", ["missing", "other", "short.gz", "broken-off"])
def test_where_an_address_fails_the_next_is_tried(address, tmp_path, first):
    path = download(published(address + first, address + "good.gz"), tmp_path)
    assert path.read_bytes() == STORED
    assert below(tmp_path) == ["words/lines.txt.gz"]


def test_where_nobody_listens_the_next_is_tried(address, tmp_path):
    assert download(published(nobody(), address + "good"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", r"404 Not Found"),
        (
            "other",
            r"what it sends is not the published file \(the SHA-256 of its 179,999 bytes of content is \w{12}\.\.\., ",
        ),
        ("short.gz", r"what it sends is truncated or damaged \(\d+ bytes do not decompress\)"),
        ("broken-off", r"the connection broke off before the end"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(address, tmp_path, name, reason):
    with pytest.raises(InputError) as caught:
        download(published(address + name), tmp_path)
    said = str(caught.value)
    assert re.match(rf"words/lines\.txt could not be fetched \(127\.0\.0\.1:\d+: {reason}", said), said
    assert said.endswith("put the file into a folder of that layout and name the folder with --data-dir")
    assert "\n" not in said
    assert below(tmp_path) == []


def test_no_network_is_one_sentence(tmp_path):
    with pytest.raises(
        InputError, match=r"could not be fetched \(127.0.0.1:\d+: no connection; 127.0.0.1:\d+: no connection\)"
    ):
        download(published(nobody(), nobody()), tmp_path)


@pytest.mark.parametrize("name", ["missing", "other", "short.gz", "broken-off"])
def test_a_bad_download_never_replaces_what_is_there(address, tmp_path, name):
    download(published(address + "good.gz"), tmp_path)
    with pytest.raises(InputError):
        download(published(address + name), tmp_path)
    assert (tmp_path / "words" / "lines.txt.gz").read_bytes() == STORED
    assert below(tmp_path) == ["words/lines.txt.gz"]


def test_a_good_download_takes_the_place_of_a_damaged_file_of_either_form(address, tmp_path):
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "lines.txt.gz").write_bytes(STORED[:100])
    download(published(address + "good"), tmp_path)
    assert below(tmp_path) == ["words/lines.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_said(address, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(
        InputError, match=r"lines.txt cannot be written to .* \(Permission denied\): make room there, or name"
    ):
        download(published(address + "good"), tmp_path)


def test_a_folder_that_is_a_file_is_said(address, tmp_path):
    (tmp_path / "words").write_text("")
    with pytest.raises(
        InputError, match=r"words/lines.txt cannot be written to .*name another cache with VAE_JAX_CACHE"
    ):
        download(published(address + "good"), tmp_path)


def test_ctrl_c_leaves_nothing(address, tmp_path):
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(published(address + "good"), tmp_path, interrupted)
    assert below(tmp_path) == []
