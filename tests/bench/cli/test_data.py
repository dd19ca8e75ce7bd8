import json
import subprocess
import sys

import pytest

from bench.cli.main import main
from bench.data import listing
from bench.data.named_data import named_data
from bench.data.splits import Splits
from tests.bench.data.fetching.published import CONTENT, STORED, nobody, published, server


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A folder that a person names, and the cache."""
    folder = tmp_path / "own"
    (folder / "words").mkdir(parents=True)
    monkeypatch.delenv("VAE_JAX_DATA", raising=False)
    monkeypatch.setenv("VAE_JAX_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return folder, tmp_path / "cache" / "data"


def named(name, *addresses):
    def load(content):
        """Words."""
        return Splits([(content.decode(),)], [], [], "One.")

    load.__name__ = name
    return named_data(kind="text", examples=1, licence="none", files=(published(*addresses),))(load)


@pytest.fixture
def words(monkeypatch):
    """A data set on a local server, and one that nobody has."""
    with server() as folder:
        sets = {"lost": named("lost", nobody()), "words": named("words", f"{folder}good.gz")}
        monkeypatch.setattr(listing, "named_sets", lambda: sets)
        yield


def said(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["data", *arguments])
    return ended.value.code, *capsys.readouterr()


def test_the_list_fits_a_terminal_and_says_where_each_is(capsys, places):
    folder, cache = places
    status, out, _ = said(capsys, "list", "--data-dir", str(folder))
    assert status == 0
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0].split() == ["name", "kind", "examples", "size", "licence", "where"]
    assert max(map(len, lines[:-2])) <= 80
    assert next(line for line in lines if line.startswith("mnist")).split() == [
        "mnist", "images", "70,000", "11.6", "MB", "none", "stated", "not", "here",
    ]  # fmt: skip
    assert next(line for line in lines if line.startswith("agreement")).endswith("built in")
    assert lines[-2:] == [f"folder: {folder}", f"cache: {cache}"]


def test_the_list_as_json(capsys, places):
    _, out, _ = said(capsys, "list", "mnist", "--json")
    (entry,) = json.loads(out)
    assert entry["bytes"] == 11_594_722
    assert entry["where"] == "not here"
    assert "LeCun" in entry["description"]


def test_what_is_fetched_is_said_before_and_is_there_after(capsys, places, words):
    _, cache = places
    status, out, err = said(capsys, "fetch", "words")
    assert (status, err) == (0, "")
    assert out.splitlines() == [f"words: 0.0 MB in 1 file, into {cache}", "words: fetched and verified"]
    assert (cache / "words" / "lines.txt.gz").read_bytes() == STORED
    assert said(capsys, "fetch", "words") == (0, "words: nothing to fetch, cache\n", "")
    _, listed, _ = said(capsys, "list", "words")
    assert listed.splitlines()[1].split()[-1] == "cache"


def test_one_that_cannot_be_had_does_not_keep_the_others_away(capsys, places, words):
    status, out, err = said(capsys, "fetch")
    assert status == 2
    assert err.startswith("error: lost: words/lines.txt could not be fetched (127.0.0.1:")
    assert err.count("\n") == 1
    assert out.endswith("words: fetched and verified\n")


def test_a_folder_that_has_it_is_never_written_to(capsys, places, words):
    folder, cache = places
    (folder / "words" / "lines.txt").write_bytes(CONTENT)
    assert said(capsys, "fetch", "words", "--data-dir", str(folder)) == (0, "words: nothing to fetch, folder\n", "")
    (folder / "words" / "lines.txt").write_bytes(CONTENT[1:])
    status, _, err = said(capsys, "fetch", "words", "--data-dir", str(folder))
    assert status == 2
    assert f"{folder / 'words' / 'lines.txt'} is not the published file" in err
    assert (folder / "words" / "lines.txt").read_bytes() == CONTENT[1:]
    assert not cache.exists()


def test_what_is_damaged_in_the_cache_is_said_and_fetched_anew(capsys, places, words):
    _, cache = places
    (cache / "words").mkdir(parents=True)
    (cache / "words" / "lines.txt").write_bytes(CONTENT[:-1])
    status, out, err = said(capsys, "verify", "words")
    assert status == 1
    assert err.startswith(f"words: {cache / 'words' / 'lines.txt'} is not the published file")
    assert err.count("\n") == 1
    assert out == "0 of 1 files that are here are what they should be\n"
    assert said(capsys, "fetch", "words")[0] == 0
    assert said(capsys, "verify", "words") == (
        0, "words: words/lines.txt: ok\n1 of 1 files that are here are what they should be\n", "",
    )  # fmt: skip


def test_what_is_not_here_is_no_failure_of_verify(capsys, places, words):
    status, out, _ = said(capsys, "verify", "words", "--json")
    assert status == 0
    assert json.loads(out) == [
        {
            "name": "words",
            "file": "words/lines.txt",
            "path": None,
            "said": "not here: run python -m bench data fetch words",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["remove"], "unknown action on data 'remove': choose one of fetch, list, verify"),
        (["fetch", "mnits"], "unknown data set 'mnits': did you mean 'mnist'? (python -m bench data list shows all)"),
        (
            ["fetch", "mnist", "--json"],
            "--json goes with data list and data verify: fetch writes files, and lists none",
        ),
        (["list", "--data-dir", "nowhere"], "--data-dir names 'nowhere', which is no folder: give one that holds"),
    ],
)
def test_a_mistake_is_one_sentence(capsys, places, arguments, sentence):
    status, out, err = said(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1


def test_it_starts_without_jax():
    code = (
        "import sys; from bench.cli.main import main\n"
        "try: main(['data', 'list'])\n"
        "except SystemExit: print(sorted(set(sys.modules) & {'jax', 'flax', 'optax', 'vae_jax'}))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
