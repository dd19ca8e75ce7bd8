"""A person's own Python files as modules, which other processes can import from under the same names."""

import importlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from bench.language.errors import InputError, briefly


def load_source(path: Path, name: str) -> ModuleType:
    """Run a file as a module.

    Args:
        path: The file.
        name: The module's name.

    Raises:
        InputError: If the file's name does not end in .py; what the file itself raises passes through.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{str(path)!r} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_plugin(path: str) -> list[ModuleType]:
    """The modules of a plugin: a file's one, or those of a folder whose names do not start with `_`.

    A folder is a package: a file in it finds another, as `_shared.py`, by `from ._shared import name`.

    Raises:
        InputError: If there is none, or one does not parse or raises, with its line.
    """
    place = Path(path)
    # Named by its stem, so that a function in it has the same name in every process.
    name = f"plugin_{module_name(place)}"
    for loaded in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[loaded]
    if place.is_file():
        return [_loaded(place, name, place)]
    if not place.is_dir():
        raise InputError(f"there is no plugin file {path!r}: give the path of a Python file, or a folder of them")
    files = sorted(file for file in place.glob("*.py") if not file.name.startswith("_"))
    if not files:
        raise InputError(f"plugin folder {path!r} holds no Python file: its remedies must lie in files ending in .py")
    package = ModuleType(name)
    package.__path__ = [str(place)]
    sys.modules[name] = package
    return [_loaded(file, f"{name}.{module_name(file)}", place) for file in files]


def module_name(path: Path) -> str:
    """What a file or folder is called as a module."""
    return re.sub(r"\W", "_", path.resolve().stem)


def raised_in(error: BaseException, *roots: str) -> str:
    """File and line of the last of some files that an error came through; empty where it came through none.

    Args:
        error: As it was caught.
        *roots: Files, and folders of them.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(roots)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""


def package_root(module: str) -> str:
    """The folder of an installed package, or the file of a module; empty where there is none of that name."""
    top = re.split(r"\W", module)[0]
    spec = importlib.util.find_spec(top) if top else None
    return "" if spec is None else next(iter(spec.submodule_search_locations or ()), spec.origin or "")


def load_error(what: str, error: BaseException, root: str) -> InputError:
    """A sentence for what importing a person's code raised.

    Args:
        what: What was loaded, in words that end with its file or name.
        error: What it raised.
        root: The file or folder in which to look for the line; empty for none.
    """
    where = raised_in(error, root) if root else ""
    if isinstance(error, InputError):
        # What a decorator says names the file, but where it stands over nothing that has one.
        named = where.rpartition(", line ")[0] in str(error)
        return error if named else InputError(f"{where}: {error}")
    if isinstance(error, SyntaxError):
        if not error.lineno:
            return InputError(f"{what} does not parse: {error.msg}; save it as text in UTF-8")
        where, said = f"{error.filename}, line {error.lineno}", f"does not parse: {error.msg}"
    else:
        said = f"raised {type(error).__name__} when it was loaded: {briefly(error)}".removesuffix(": ")
    if where:
        # The line may be one of a file that it imports.
        file, _, number = where.rpartition(", line ")
        what = f"{what}, line {number}," if what.endswith(file) else f"{what}: {where},"
    return InputError(f"{what} {said}")


def _loaded(file: Path, name: str, root: Path) -> ModuleType:
    try:
        return load_source(file, name)
    except (Exception, SystemExit) as error:
        raise load_error(f"plugin {file}", error, str(root)) from error
