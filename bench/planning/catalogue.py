"""All that can be named on the command line: found in folders, packages and plugins, never registered by hand."""

import contextlib
import functools
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

from bench import remedies, suites, workloads
from bench.language.errors import InputError
from bench.planning.applicability import try_instrument
from bench.planning.names import WORDS, Names, Thing, own_things_of, things_of
from bench.plugins.entry_points import ENTRY_POINT_GROUPS, offered, package_of, package_root
from bench.plugins.own_code import load_error
from bench.plugins.remedy import NotApplicable, Remedy
from bench.plugins.source_file import load_plugin, module_name, watch_imports
from bench.plugins.suite import Suite
from bench.plugins.watching import watched
from bench.plugins.workload import WorkloadKind
from bench.results.views import Views, views_of
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.instruments import INSTRUMENTS, Instrument


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Everything by name.

    Attributes:
        remedies: The remedies, in order of family file and definition.
        workloads: The workloads.
        suites: Each suite with its docstring.
        instruments: What is measured inside a training.
        bases: Where each name of a base comes from.
        from_plugins: Names of the remedies that came with a plugin that was named, and not with an installed package.
        own_workloads: And of the workloads.
        skipped: What installed packages offer that does not load, a sentence each.
        views: The columns and plots that came with plugins.
    """

    remedies: dict[str, Remedy]
    workloads: dict[str, WorkloadKind]
    suites: dict[str, tuple[Suite, str]]
    instruments: dict[str, Instrument]
    bases: dict[str, str]
    from_plugins: tuple[str, ...]
    own_workloads: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    views: Views = field(default_factory=Views)


def load_catalogue(plugins: Sequence[str] = (), data: bool = False) -> Catalogue:
    """Everything that comes with this package, what installed packages add, and what plugins add.

    Args:
        plugins: Files and folders.
        data: Whether to try also what workloads load, for a command that needs all of them.

    Raises:
        InputError: If a plugin cannot be read, does not parse, raises, lacks something, or takes a name twice. An
            installed package of which that is true is skipped.
    """
    watch_imports()
    names = [module_name(Path(path)) for path in plugins]
    for path, name in zip(plugins, names, strict=True):
        if names.count(name) > 1:
            raise InputError(f"two plugins are called {Path(path).name!r}: give one of them another name")
    modules = tuple(tuple(load_plugin(path)) for path in plugins)
    # In one process a function of a plugin is one function, so that cells which use it share their programs.
    for known in _catalogues:
        if (known.modules, known.data) == (modules, data):
            return known.catalogue
    catalogue = _load(tuple(plugins), modules, data)
    _catalogues[:] = [_Known(modules, data, catalogue)]
    return catalogue


@dataclass(frozen=True)
class _Known:
    """A catalogue, and what it was made of."""

    modules: tuple[tuple[ModuleType, ...], ...]
    data: bool
    catalogue: Catalogue


_catalogues: list[_Known] = []


def _load(plugins: Sequence[str], modules: Sequence[Sequence[ModuleType]], data: bool) -> Catalogue:
    found, skipped = _built_in().copy(), []
    for group, kind in zip(ENTRY_POINT_GROUPS, WORDS, strict=True):
        for point in offered(group):
            try:
                for thing in _offered(point, kind):
                    _try(thing, data)
                    found.add([thing])
            except InputError as error:
                skipped.append(f"package {package_of(point)!r}, entry point {point.name!r} of {group}: {error}")
    before, views = {*found.remedies, *found.workloads}, Views()
    for path, loaded in zip(plugins, modules, strict=True):
        own_views = views_of(loaded)
        views = views.with_more(own_views)
        things = [thing for module in loaded for thing in own_things_of(module)]
        for thing in things:
            # What a remedy does, `check` tells.
            if not isinstance(thing, Remedy):
                _try(thing, data)
        if not found.add(things) and own_views == Views():
            raise InputError(
                f"plugin {path} defines no remedy, workload or instrument, and no column or plot: decorate a function "
                "with @remedy, @workload, @instrument, @column or @plot"
            )
    named_suites = {m.__name__.rpartition(".")[2]: (m.SUITE, (m.__doc__ or "").strip()) for m in _modules(suites)}
    own_remedies, own_workloads = (
        tuple(name for name in names if name not in before) for names in (found.remedies, found.workloads)
    )
    return Catalogue(
        found.remedies, found.workloads, named_suites, found.instruments, found.bases, own_remedies, own_workloads,
        tuple(skipped), views,
    )  # fmt: skip


@functools.cache
def _built_in() -> Names:
    found = Names(instruments={instrument.name: instrument for instrument in INSTRUMENTS})
    for module in _modules(remedies):
        family = module.__name__.rpartition(".")[2]
        found.add([replace(each, family=family) for each in things_of(module) if isinstance(each, Remedy)])
    for module in _modules(workloads):
        found.add([each for each in things_of(module) if isinstance(each, WorkloadKind)])
    return found


def _offered(point: EntryPoint, kind: type[Thing]) -> list[Thing]:
    """The things that an entry point of an installed package names."""
    try:
        value = point.load()
    except (Exception, SystemExit) as error:
        raise load_error(point.value, error, package_root(point.value)) from error
    things = own_things_of(value) if isinstance(value, ModuleType) else [value]
    fitting = [thing for thing in things if isinstance(thing, kind)]
    if not fitting:
        raise InputError(f"{point.value} holds no {WORDS[kind]}: decorate a function with @{WORDS[kind]}")
    return fitting


def _try(thing: Thing, data: bool) -> None:
    """Use a thing once: what does not hold must not stop a command about something else.

    Args:
        thing: The thing.
        data: Whether to load a workload's data too.

    Raises:
        InputError: If it does not hold.
    """
    if isinstance(thing, Remedy):
        with watched() as done, contextlib.suppress(NotApplicable):
            thing(Recipe())
        if done:
            raise InputError(f"remedy {thing.name!r} in {thing.location}, {' and '.join(done)}: take that out of it")
    elif isinstance(thing, WorkloadKind):
        built = thing()
        if data:
            loaded = built.data()
            built.plateau(loaded, loaded.test)
    elif thing not in INSTRUMENTS:
        try:
            try_instrument(thing)
        except ValueError as error:
            raise InputError(str(error)) from error


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{info.name}")
