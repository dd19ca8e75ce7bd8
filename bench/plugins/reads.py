"""Records what a person's own code reads from outside itself, files and variables of the environment; and which files
a person's own data are.

A figure may rest on any of them, so their content is part of what a stored cell is known by.
"""

import ast
import contextlib
import functools
import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bench
from bench.plugins import watching
from bench.plugins.entry_points import package_root, plugin_packages
from bench.plugins.watching import LEAVING, is_read, kept_by_python, listening

_LISTED = ("os.listdir", "os.scandir")

# Of the system, which no figure rests on.
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/")


@dataclass
class Reads:
    """All that was read by some code.

    Attributes:
        files: The digest of each file's content, by its path; of a source without comments and docstrings.
        variables: The value of each variable of the environment that was asked for, None where it is not set.
        beyond: What else was reached, in words: no digest can hold it.
    """

    files: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str | None] = field(default_factory=dict)
    beyond: dict[str, None] = field(default_factory=dict)

    def add(self, other: "Reads") -> None:
        """Take in what another block read."""
        self.files |= other.files
        self.variables |= other.variables
        self.beyond |= other.beyond

    def current(self) -> bool:
        """Whether all of it would be read as it was."""
        same = all(_content(path) == digest for path, digest in self.files.items())
        return same and all(os.environ.get(name) == value for name, value in self.variables.items())

    def words(self) -> list[str]:
        """A few words on each thing that was read."""
        files, variables = (f"reads {path!r}" for path in self.files), (f"asks for {name!r}" for name in self.variables)
        return [*files, *variables, *self.beyond]

    def digest(self) -> str:
        """A digest of all of it; of files by name and content, since another machine has them in another folder."""
        files = sorted((Path(path).name, content) for path, content in self.files.items())
        return hashlib.sha256(repr((files, sorted(self.variables.items()))).encode()).hexdigest()


@contextlib.contextmanager
def recorded() -> Iterator[Reads]:
    """Record what the block reads for a person's own code, or as a person's data; complete once it has ended."""
    reads, paths = Reads(), dict[str, None]()

    def heed(event: str, arguments: tuple[object, ...]) -> None:
        what = arguments[0] if arguments else None
        if event == "open" and isinstance(what, str | bytes | os.PathLike) and is_read(arguments):
            path = str(Path(os.fsdecode(what)).absolute())
            # A source is opened by the machinery of imports, whoever imports it.
            asked = path.endswith(".py") or _asked_by_own_code() or _asked_for_data()
            if asked and not _installed(path) and not path.startswith(_SYSTEM) and not kept_by_python(path):
                paths[path] = None
        elif event in _LISTED and isinstance(what, str | os.PathLike) and _asked_for_data():
            paths[str(Path(what).absolute())] = None
        elif event in LEAVING and _asked_by_own_code():
            reads.beyond[f"{LEAVING[event]} {what!r}"] = None

    # Found before anything is heeded: to find them is to read.
    _roots()
    _plugin_roots()
    kind: Any = type(os.environ)
    plain = kind.__getitem__

    def noted(environment: Any, name: str) -> str:
        if _asked_by_own_code():
            try:
                reads.variables[name] = plain(environment, name)
            except KeyError:
                reads.variables[name] = None
        return plain(environment, name)

    # There is no audit event for it.
    kind.__getitem__ = noted
    try:
        with listening(heed):
            yield reads
    finally:
        kind.__getitem__ = plain
        reads.files |= {path: _digest(path) for path in paths}


def source_reads(path: str) -> Reads:
    """A module's source as all that is known of what it has read."""
    return Reads({path: _digest(path)})


def note_compiled(path: str, source: bytes) -> None:
    """Keep the digest of a source that is about to be run."""
    _compiled[path] = code_digest(source)


def code_digest(source: bytes) -> str:
    """A digest of a Python source without its comments and docstrings: they change no number."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return hashlib.sha256(source).hexdigest()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


_compiled: dict[str, str] = {}


def is_own(path: str) -> bool:
    """Whether a source is a person's own: no library's, none of Python's, none of this project's."""
    return bool(path) and not path.startswith("<") and (not _installed(path) or path.startswith(_plugin_roots()))


def _asked_by_own_code() -> bool:
    """Whether a person's own code, and no import of a library in it, has called what has called this."""
    for name in _callers():
        if name == "<frozen importlib._bootstrap>" or name.startswith(_packages()):
            return False
        if is_own(name):
            return True
    return False


def _asked_for_data() -> bool:
    """Whether what reads a person's data has called what has called this."""
    return any(name.startswith(_readers()) for name in _callers())


def _callers() -> Iterator[str]:
    """The files of the functions that wait for this one, the innermost first, but for those that watch."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name not in (__file__, watching.__file__):
            yield name
        frame = frame.f_back


def _installed(path: str) -> bool:
    return path.startswith(_roots())


@functools.cache
def _roots() -> tuple[str, ...]:
    """The folders of Python, of its libraries, and of this project's packages."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sys.prefix, sys.base_prefix, *(sysconfig.get_path(name) for name in names)]
    return (*_packages(), *{f"{each}{os.sep}" for each in (*folders, *map(os.path.realpath, folders))})


@functools.cache
def _packages() -> tuple[str, ...]:
    return tuple(f"{Path(bench.__file__ or '').parents[1] / name}{os.sep}" for name in ("bench", "vae_jax"))


@functools.cache
def _readers() -> tuple[str, ...]:
    data = Path(bench.__file__ or "").parent / "data"
    return str(data / "own_data.py"), f"{data / 'reading'}{os.sep}"


@functools.cache
def _plugin_roots() -> tuple[str, ...]:
    return tuple(filter(None, map(package_root, sorted(plugin_packages()))))


def _digest(path: str) -> str:
    # Of a source that was compiled, what was compiled: it may have been written over since.
    return _compiled.get(path) or _content(path)


def _content(path: str) -> str:
    try:
        # Of a folder, which files are in it.
        file = Path(path)
        content = repr(sorted(each.name for each in file.iterdir())).encode() if file.is_dir() else file.read_bytes()
    except OSError:
        return "not there"
    return code_digest(content) if path.endswith(".py") else hashlib.sha256(content).hexdigest()
