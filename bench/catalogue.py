"""What can be named on the command line: found by looking into folders and plugins, never registered by hand."""

import importlib
import pkgutil
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from bench import remedies, suites, workloads
from bench.errors import InputError
from bench.plugin import Remedy, WorkloadKind
from bench.source_file import load_source
from bench.suite import Suite
from vae_jax.instruments import INSTRUMENTS, Instrument

T = TypeVar("T")


@dataclass(frozen=True)
class Catalogue:
    """Everything by name.

    Attributes:
        remedies: The remedies, in order of family file and definition.
        workloads: The workloads.
        suites: Each suite with its docstring.
        instruments: What is measured inside a training.
        from_plugins: Names of the remedies that came with a plugin.
    """

    remedies: dict[str, Remedy]
    workloads: dict[str, WorkloadKind]
    suites: dict[str, tuple[Suite, str]]
    instruments: dict[str, Instrument]
    from_plugins: tuple[str, ...]


def load_catalogue(plugins: Sequence[str] = ()) -> Catalogue:
    """Everything that comes with the package, and what plugin files add.

    Raises:
        InputError: If a plugin cannot be read, does not parse, raises, lacks something, or takes a name twice.
    """
    found: dict[str, Remedy] = {}
    kinds: dict[str, WorkloadKind] = {}
    instruments = {instrument.name: instrument for instrument in INSTRUMENTS}
    for module in _modules(remedies):
        family = module.__name__.rpartition(".")[2]
        for remedy in _members(module, Remedy):
            found[remedy.name] = replace(remedy, family=family)
    for module in _modules(workloads):
        kinds |= {kind.name: kind for kind in _members(module, WorkloadKind)}
    built_in = set(found)
    stems = [Path(path).stem for path in plugins]
    for path in plugins:
        if stems.count(Path(path).stem) > 1:
            raise InputError(f"two plugins are called {Path(path).name!r}: give one of them another name")
        module = _load_file(path)
        for remedy in _members(module, Remedy):
            if not remedy.family:
                raise InputError(
                    f"remedy {remedy.name!r} in {path} names no family: write @remedy(source=..., family=...)"
                )
            if remedy.name in found:
                raise InputError(f"remedy {remedy.name!r} in {path} takes a name that is taken: give it another")
            found[remedy.name] = remedy
        for kind in _members(module, WorkloadKind):
            if kind.name in kinds:
                raise InputError(f"workload {kind.name!r} in {path} takes a name that is taken: give it another")
            kinds[kind.name] = kind
        for instrument in _own_instruments(module):
            if instrument.name in instruments:
                raise InputError(
                    f"instrument {instrument.name!r} in {path} takes a name that is taken: give it another"
                )
            instruments[instrument.name] = instrument
    named_suites = {m.__name__.rpartition(".")[2]: (m.SUITE, (m.__doc__ or "").strip()) for m in _modules(suites)}
    return Catalogue(found, kinds, named_suites, instruments, tuple(name for name in found if name not in built_in))


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{info.name}")


def _members(module: ModuleType, kind: type[T]) -> list[T]:
    return [value for value in vars(module).values() if isinstance(value, kind)]


def _own_instruments(module: ModuleType) -> list[Instrument]:
    # A plugin may well import a built-in one, to measure something beside it.
    return [each for each in _members(module, Instrument) if each.measure.__module__ == module.__name__]


def _load_file(path: str) -> ModuleType:
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no plugin file {path!r}: give the path of a Python file with remedies in it")
    # Named by its stem, so that a function in it has the same name in every process.
    try:
        module = load_source(file, f"plugin_{file.stem}")
    except InputError:
        raise
    except SyntaxError as error:
        raise InputError(f"plugin {path}, line {error.lineno}, does not parse: {error.msg}") from error
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        where = f", line {lines[-1]}," if lines else ""
        said = str(error).strip().split("\n")[0]
        raise InputError(f"plugin {path}{where} raised {type(error).__name__} when it was loaded: {said}") from error
    if not (_members(module, Remedy) or _members(module, WorkloadKind) or _own_instruments(module)):
        raise InputError(
            f"plugin {path} defines no remedy, workload or instrument: decorate a function with @remedy, @workload or "
            "@instrument"
        )
    return module
