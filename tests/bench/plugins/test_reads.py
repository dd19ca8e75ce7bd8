"""Whatever a person's own code reads is found, by whatever way it comes to it."""

import importlib
import os
import sys

import pytest

from bench.plugins.reads import code_digest, recorded
from bench.plugins.source_file import files_of, load_plugin, reads_of


def test_comments_and_docstrings_change_no_digest():
    plain = code_digest(b"def f(x):\n    return x + 1\n")
    assert code_digest(b'"""Module."""\n\n\ndef f(x):\n    """Adds."""\n    # Why.\n    return x + 1\n') == plain
    assert code_digest(b"def f(x):\n    return x + 2\n") != plain


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A plugin's folder, and a function that loads it and tells what it has read."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_numbers.json").write_text("[0.5]")
    (tmp_path / "own_sibling.py").write_text("SCALE = 2.0\n")
    (tmp_path / "own_plugin.py").write_text(
        "import json, os, pathlib\nfrom own_sibling import SCALE\n"
        "NUMBERS = json.loads((pathlib.Path(__file__).parent / 'own_numbers.json').read_text())\n"
        "VARIABLE = os.environ.get('OWN_VARIABLE')\n"
    )

    def load():
        (module,) = load_plugin(str(tmp_path / "own_plugin.py"))
        return module, reads_of([module.__name__])

    yield tmp_path, load
    sys.modules.pop("own_sibling", None)


def names(reads):
    return {path.rpartition("/")[2] for path in reads.files}


def test_files_siblings_and_variables_that_are_read_while_a_plugin_is_loaded(own):
    _, load = own
    module, reads = load()
    assert names(reads) == {"own_numbers.json", "own_sibling.py", "own_plugin.py"}
    assert reads.variables == {"OWN_VARIABLE": None}
    # Nothing has changed: the plugin is not run again, so that its functions stay one.
    assert load()[0] is module


@pytest.mark.parametrize(
    ("name", "text"), [("own_numbers.json", "[0.7]"), ("own_sibling.py", "SCALE = 3.0\n"), ("OWN_VARIABLE", "set")]
)
def test_what_has_changed_is_read_again(own, monkeypatch, name, text):
    folder, load = own
    module, reads = load()
    if name.isupper():
        monkeypatch.setenv(name, text)
    else:
        (folder / name).write_text(text)
    again, other = load()
    assert other.digest() != reads.digest()
    assert (again.NUMBERS, again.SCALE, again.VARIABLE) != (module.NUMBERS, module.SCALE, module.VARIABLE)


def test_a_stale_compiled_file_is_never_run(own, monkeypatch):
    folder, load = own
    sibling = folder / "own_sibling.py"
    # Python itself compiles it, and keeps that; then the source changes to one of the same size and time.
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if "Own" not in type(finder).__name__])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    importlib.import_module("own_sibling")
    assert list(folder.rglob("*.pyc"))
    about = sibling.stat()
    sys.modules.pop("own_sibling")
    sibling.write_text("SCALE = 4.0\n")
    os.utime(sibling, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert load()[0].SCALE == 4.0


def test_the_file_of_a_folder_is_run_before_those_in_it(tmp_path):
    folder = tmp_path / "own_folder"
    folder.mkdir()
    (folder / "__init__.py").write_text("SCALE = 2.0\n")
    (folder / "inside.py").write_text("from . import SCALE\n")
    (module,) = load_plugin(str(folder))
    assert module.SCALE == 2.0
    assert names(reads_of([module.__name__])) == {"__init__.py", "inside.py"}


def test_libraries_are_known_by_their_versions(tmp_path):
    (tmp_path / "own_importer.py").write_text("import importlib, colorsys\nimportlib.reload(colorsys)\n")
    (module,) = load_plugin(str(tmp_path / "own_importer.py"))
    assert names(reads_of([module.__name__])) == {"own_importer.py"}


def test_another_process_is_beyond_any_digest(tmp_path):
    (tmp_path / "own_caller.py").write_text(
        "import subprocess, sys\ndef ask():\n    return subprocess.run([sys.executable, '-c', ''], check=True)\n"
    )
    (module,) = load_plugin(str(tmp_path / "own_caller.py"))
    with recorded() as reads:
        module.ask()
    assert any("starts the program" in words for words in reads.beyond)


def test_what_a_plugin_reads_beside_itself_goes_with_it_to_another_machine(own):
    folder, load = own
    load()
    (folder / "unread.txt").write_text("nobody reads it")
    files = files_of(str(folder / "own_plugin.py"))
    assert files.keys() == {"own_plugin.py", "own_sibling.py", "own_numbers.json"}
    assert files["own_numbers.json"] == b"[0.5]"
