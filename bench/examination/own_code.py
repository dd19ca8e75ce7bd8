"""A person's own code: found by its name, run, and what it raises told with its line."""

import contextlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.language.errors import InputError, unknown
from bench.plugins.source_file import load_source
from vae_jax.diagnosis.tracing.source_line import own_file

_HERE = Path(__file__).resolve().parents[1]


def found(target: str, kind: str) -> Any:
    """The object that "package.module:name" or "file.py:name" names.

    Args:
        target: What was typed.
        kind: What it is to be, for whoever reads an error.

    Raises:
        InputError: If there is none, or its file cannot be run.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise InputError(f"{kind} {target!r} must be written as package.module:name or file.py:name")
    module = _file(place, kind) if place.endswith(".py") else _module(place, kind)
    if not hasattr(module, name):
        public = [key for key, value in vars(module).items() if not key.startswith("_") and callable(value)]
        raise unknown(f"name in {place}", name, public)
    return getattr(module, name)


def tried(what: str, when: str, call: Callable[[], Any]) -> Any:
    """What a person's own code gives.

    Raises:
        InputError: If it raises: what, when, and in which line of theirs.
    """
    with own_file_frames(what, when):
        return call()


@contextlib.contextmanager
def own_file_frames(what: str, when: str) -> Iterator[None]:
    """Turns what is raised below into a sentence with the line of the person's own file; a `ValueError` that no file of
    theirs had a part in passes through.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _own(frame.filename)]
        if isinstance(error, InputError) or (isinstance(error, ValueError) and not frames):
            raise
        where = f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""
        raise InputError(f"{what} raised {line(error)}{where} {when}") from error


def line(error: BaseException) -> str:
    """An error in one line."""
    said = next((each.strip() for each in str(error).splitlines() if each.strip()), "")
    return f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__


def _module(place: str, kind: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        # A module that is there and imports one that is not is another mistake.
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            cure = "run from the folder that holds it, or give the path of its file"
            raise InputError(f"there is no module {place!r} for the {kind}: {cure}") from error
        raise InputError(f"{kind} module {place!r} raised {line(error)} when it was imported") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{kind} module {place!r} raised {line(error)} when it was imported") from error


def _file(place: str, kind: str) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        raise InputError(f"there is no file {place!r} for the {kind}: give the path of a Python file")
    path = path.resolve()
    name = f"doctor_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        # Model, loss and batch of one file are of one module: its classes are the same.
        return loaded
    # As `python file.py` finds them: what lies beside it.
    beside = str(path.parent)
    sys.path.insert(0, beside)
    try:
        return tried(f"{kind} file {place!r}", "when it was loaded", lambda: load_source(path, name))
    finally:
        sys.path.remove(beside)


def _own(filename: str) -> bool:
    return own_file(filename) and not Path(filename).resolve().is_relative_to(_HERE)
