"""Every data set that has a name, found in its folder."""

import importlib
import pkgutil

from bench.data import sets
from bench.data.named_data import NamedData
from bench.language.errors import unknown


def named_sets() -> dict[str, NamedData]:
    """The data sets by name: a file in `bench/data/sets/` is all that one needs."""
    found = {}
    for module in pkgutil.iter_modules(sets.__path__, f"{sets.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, NamedData):
                found[value.name] = value
    return found


def find_sets(names: tuple[str, ...]) -> list[NamedData]:
    """The named data sets, or all where none is named.

    Raises:
        InputError: If there is none of a name.
    """
    there = named_sets()
    for name in names:
        if name not in there:
            raise unknown("data set", name, there, "python -m bench data list")
    return [there[name] for name in dict.fromkeys(names or there)]
