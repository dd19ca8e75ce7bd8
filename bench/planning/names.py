"""What has a name on the command line, and that no two things share one."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.language.errors import InputError
from bench.plugins.own_code import location
from bench.plugins.remedy import Remedy
from bench.plugins.workload import WorkloadKind
from vae_jax.training.instruments import Instrument

Thing = Remedy | WorkloadKind | Instrument

WORDS: dict[type[Thing], str] = {Remedy: "remedy", WorkloadKind: "workload", Instrument: "instrument"}
"""What a person calls each kind of thing."""


@dataclass
class Names:
    """All that has a name so far."""

    remedies: dict[str, Remedy] = field(default_factory=dict)
    workloads: dict[str, WorkloadKind] = field(default_factory=dict)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Names":
        """The same names, to which others can be added."""
        return Names(*(dict(getattr(self, each.name)) for each in fields(self)))

    def add(self, things: Sequence[Thing]) -> int:
        """Take in new things, all or none; how many there were.

        Raises:
            InputError: If a remedy has no family, a name is taken, or a remedy is called as a base is.
        """
        fresh: dict[tuple[type[Thing], str], Thing] = {}
        for thing in things:
            known = {**self._home(thing), **{name: each for (kind, name), each in fresh.items() if kind is type(thing)}}
            taken = known.get(thing.name)
            # A file may well import a thing that is there already, to make another beside it.
            if taken is not None and _function(taken) is _function(thing):
                continue
            what = f"{WORDS[type(thing)]} {thing.name!r} in {location(_function(thing))},"
            if taken is not None:
                raise InputError(f"{what} takes a name that is taken by {location(_function(taken))}: give it another")
            if isinstance(thing, Remedy) and not thing.family:
                raise InputError(f"{what} names no family: write @remedy(source=..., family=...)")
            fresh[type(thing), thing.name] = thing
        workloads = [thing for thing in fresh.values() if isinstance(thing, WorkloadKind)]
        bases = self.bases | {
            base: f"workload {each.name!r} in {each.location}" for each in workloads for base in each().bases
        }
        remedies = self.remedies | {name: thing for (kind, name), thing in fresh.items() if kind is Remedy}
        for name in bases.keys() & remedies.keys():
            where = location(_function(remedies[name]))
            raise InputError(f"remedy {name!r} in {where}, is called as a base of {bases[name]}: rename one of them")
        for (_, name), thing in fresh.items():
            self._home(thing)[name] = thing
        self.bases = bases
        return len(fresh)

    def _home(self, thing: Thing) -> dict[str, Any]:
        return {Remedy: self.remedies, WorkloadKind: self.workloads, Instrument: self.instruments}[type(thing)]


def things_of(module: ModuleType) -> list[Thing]:
    """The things of a module."""
    return [value for value in vars(module).values() if isinstance(value, Thing)]


def own_things_of(module: ModuleType) -> list[Thing]:
    """The things of a module in which no name is given twice: the second would stand for both without a word.

    Raises:
        InputError: If one is.
    """
    things, lines = things_of(module), dict[str, int]()
    names = {getattr(_function(thing), "__name__", None) for thing in things}
    file = Path(module.__file__ or "")
    for node in ast.parse(file.read_bytes() if file.suffix == ".py" else "").body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            if node.name in lines:
                where = f"{file}, line {node.lineno}"
                raise InputError(
                    f"{where}, defines {node.name!r} a second time, after line {lines[node.name]}: give it another name"
                )
            lines[node.name] = node.lineno
    return things


def _function(thing: Thing) -> Callable[..., Any]:
    return thing.measure if isinstance(thing, Instrument) else thing.function
