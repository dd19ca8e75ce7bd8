"""A person's own Python files as modules, which other processes can import from under the same names.

They are compiled from the very bytes that are digested, never from what lies in a `__pycache__`; what each reads while
it is run is kept beside it.
"""

import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from bench.language.errors import InputError
from bench.plugins.imports import imported
from bench.plugins.own_code import load_error
from bench.plugins.reads import Reads, is_own, note_compiled, recorded, source_reads

_reads: dict[str, Reads] = {}


class _OwnLoader(importlib.machinery.SourceFileLoader):
    """Runs a source as it is read, and keeps what it reads."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        note_compiled(path, source)
        try:
            return self.source_to_code(source, path)
        except ValueError as error:
            # Of a null byte, before Python 3.11.4: later ones say of it what they say of all that does not parse.
            raise SyntaxError(str(error)) from error

    def exec_module(self, module: ModuleType) -> None:
        with recorded() as reads:
            super().exec_module(module)
        _reads[module.__name__] = reads


class _OwnFinder(MetaPathFinder):
    """Finds modules as Python does, and has those that are a person's own loaded by `_OwnLoader`."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return None
        if not is_own(spec.loader.path):
            return None
        spec.loader = _OwnLoader(fullname, spec.loader.path)
        return spec


def watch_imports() -> None:
    """From now on load a person's own modules from their sources alone, whoever imports them."""
    if not any(isinstance(finder, _OwnFinder) for finder in sys.meta_path):
        sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder), _OwnFinder())


def load_source(path: Path, name: str) -> ModuleType:
    """Run a file as a module.

    Args:
        path: The file.
        name: The module's name.

    Raises:
        InputError: If the file's name does not end in .py; what the file itself raises passes through.
    """
    if path.suffix != ".py":
        raise InputError(f"{str(path)!r} is no Python file: its name must end in .py")
    watch_imports()
    inside = [str(path.parent)] if path.name == "__init__.py" else None
    loader = _OwnLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader, submodule_search_locations=inside)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def load_plugin(path: str) -> list[ModuleType]:
    """The modules of a plugin: a file's one, or those of a folder whose names do not start with `_`.

    A folder is a package: its `__init__.py` is run first where it has one, and a file in it finds another, as
    `_shared.py`, by `from ._shared import name`. A plugin that is loaded and reads what it read then is not run again.

    Raises:
        InputError: If there is none, or one does not parse or raises, with its line.
    """
    place = Path(path)
    # Named by its stem, so that a function in it has the same name in every process.
    name = f"plugin_{module_name(place)}"
    # Last, so that what lies beside a plugin hides no library.
    if str(place.parent) not in sys.path:
        sys.path.append(str(place.parent))
    loaded = [each for each in sys.modules if each == name or each.startswith(f"{name}.")]
    if place.is_file():
        files = {name: place}
    elif place.is_dir():
        own = sorted(file for file in place.glob("*.py") if not file.name.startswith("_"))
        if not own:
            raise InputError(
                f"plugin folder {path!r} holds no Python file: its remedies must lie in files ending in .py"
            )
        files = {f"{name}.{module_name(file)}": file for file in own}
    else:
        raise InputError(f"there is no plugin file {path!r}: give the path of a Python file, or a folder of them")
    modules = [sys.modules.get(each) for each in files]
    there = [getattr(module, "__file__", None) for module in modules] == [str(file) for file in files.values()]
    if there and reads_of(files).current():
        return [module for module in modules if module is not None]
    for each in [*loaded, *_linked(files)]:
        sys.modules.pop(each, None)
    if place.is_dir():
        package = place / "__init__.py"
        if package.exists():
            _loaded(package, name, place)
        else:
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__path__ = [str(place)]
    return [_loaded(file, each, place) for each, file in files.items()]


def files_of(path: str) -> dict[str, bytes]:
    """The content of a plugin's files, and of all that it reads from the folder in which it lies, by path below that.

    Args:
        path: Of a plugin that can be loaded.
    """
    folder = Path(path).parent
    reads = reads_of(module.__name__ for module in load_plugin(path))
    own = [path, *(str(file) for file in Path(path).rglob("*.py")), *reads.files]
    files = dict.fromkeys(file for file in map(Path, own) if file.is_file() and file.is_relative_to(folder))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def reads_of(names: Iterable[str]) -> Reads:
    """All that a person's own modules have read while they were run, they and all that they import.

    Args:
        names: Of modules; those of libraries and of this project read nothing.
    """
    whole = Reads()
    for name in _linked(names):
        # Of one that somebody else has loaded, its source at least.
        whole.add(_reads[name] if name in _reads else source_reads(_file(name)))
    return whole


def _linked(names: Iterable[str]) -> list[str]:
    """The person's own modules among some, with those that they import."""
    found, waiting = dict[str, None](), list(names)
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if name not in found and is_own(file):
            found[name] = None
            parent = name.rpartition(".")[0]
            # A package's own file is run before any file in it.
            waiting += [parent, *imported(Path(file).read_bytes(), parent)]
    return list(found)


def _file(name: str) -> str:
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    # What is built in, or compiled, has no source to read.
    return file if file.endswith(".py") and Path(file).is_file() else ""


def module_name(path: Path) -> str:
    """The name of a file or folder as a module."""
    return re.sub(r"\W", "_", path.resolve().stem)


def _loaded(file: Path, name: str, root: Path) -> ModuleType:
    try:
        return load_source(file, name)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise load_error(f"plugin {file}", error, str(root)) from error
