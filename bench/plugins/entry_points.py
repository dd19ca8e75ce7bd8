"""The entry points by which an installed package names what it adds: a module, or one thing in it."""

import functools
import importlib.util
import re
from importlib.metadata import EntryPoint, entry_points

ENTRY_POINT_GROUPS = ("vae_jax.remedies", "vae_jax.workloads", "vae_jax.instruments")


def offered(group: str) -> list[EntryPoint]:
    """The entry points of a group, by package and name."""
    return sorted(entry_points(group=group), key=lambda point: (package_of(point), point.name))


def package_of(point: EntryPoint) -> str:
    """The name of the installed package that has an entry point; empty where none is known."""
    return point.dist.name if point.dist is not None else ""


@functools.cache
def plugin_packages() -> frozenset[str]:
    """The top-level modules of all installed packages that add something."""
    return frozenset(
        point.module.partition(".")[0] for group in ENTRY_POINT_GROUPS for point in entry_points(group=group)
    )


def package_root(module: str) -> str:
    """The folder of an installed package, or the file of a module; empty where there is none of that name."""
    top = re.split(r"\W", module)[0]
    spec = importlib.util.find_spec(top) if top else None
    return "" if spec is None else next(iter(spec.submodule_search_locations or ()), spec.origin or "")
