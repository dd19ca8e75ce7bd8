"""What a stored cell is known by: a digest of what was asked, and one of the sources that answer it.

Equal in both, a stored cell is trusted. Equal in the question alone, it is kept all the same where the worker finds its
lowered programs and their arguments unchanged (`lanes.Bench.fingerprint`), and computed anew where not.
"""

import ast
import functools
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import vae_jax
from bench.planning.protocol import Protocol
from bench.plugins.plugin import ENTRY_POINT_GROUPS, Workload
from vae_jax.recipe.configured import Configured
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.instruments import Instrument

# What computes the numbers; another version of any is another question. By module, since a source names modules.
_LIBRARIES = {
    "jax": "jax", "jaxlib": "jaxlib", "flax": "flax", "optax": "optax", "numpy": "numpy", "sklearn": "scikit-learn",
}  # fmt: skip

# What decides outside of any compiled program what is trained and what is made of it: no lowered program tells of a
# change here, so it is part of the question.
_HOST_SOURCES = (
    *(f"bench/training/{name}.py" for name in ("cell", "curves", "explanation", "arm_trainer", "record")),
    "bench/planning/protocol.py",
    *(f"vae_jax/diagnosis/{name}.py" for name in ("attribution", "chain", "graph", "straight_through", "verdict")),
    "vae_jax/initialization/moments.py",
    "vae_jax/theory/mean_field.py",
)

# How programs are compiled: an edit here, as one of the mathematics, is forgiven where they come out the same.
_PROGRAM_SOURCES = ("bench/training/programs.py", "bench/execution/process.py", "bench/execution/surroundings.py")


def question(
    recipe: Recipe, workload: Workload, protocol: Protocol, instruments: Iterable[Instrument], device_kind: str
) -> str:
    """A digest of what a cell asks: everything that changes its numbers, but for the code of the mathematics."""
    content = {
        "recipe": recipe.describe(),
        "architecture": repr(workload.architecture),
        "batch": workload.batch,
        "data": f"{workload.data.__module__}.{workload.data.__qualname__}",
        "protocol": protocol.identity(),
        "instruments": [instrument.name for instrument in instruments],
        "versions": versions(),
        "device": device_kind,
        "host": _own_digest(_HOST_SOURCES),
    }
    return _digest(json.dumps(content, sort_keys=True))[:24]


def sources(recipe: Recipe, workload: Workload, instruments: Iterable[Instrument]) -> str:
    """A digest of the code that answers it, without comments and docstrings."""
    paths: set[Path] = set()
    measures = (instrument.measure for instrument in instruments)
    for function in (*_functions(recipe), workload.data, workload.plateau, *measures):
        name = getattr(function, "__module__", None) or ""
        # Libraries are known by their versions.
        if name.partition(".")[0] not in (*_LIBRARIES, "vae_jax"):
            paths.update(_files(name))
    others = "".join(sorted(map(_file_digest, paths)))
    return _digest(_package_digest(Path(vae_jax.__file__).parent) + _own_digest(_PROGRAM_SOURCES) + others)[:16]


@functools.cache
def versions() -> dict[str, str]:
    """The versions of the libraries that compute the numbers."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES.values()}


def packages() -> dict[str, str]:
    """Digests of this project's packages, for another machine to compare with its own."""
    folders = {"vae_jax": Path(vae_jax.__file__).parent, "bench": Path(__file__).parents[1]}
    return {name: _package_digest(folder)[:12] for name, folder in folders.items()}


def _files(name: str) -> list[Path]:
    """The sources that a function of a module may rest on: the file, or all of the plugin that it is part of."""
    top = name.partition(".")[0]
    folders = getattr(sys.modules.get(top), "__path__", None)
    # A plugin's function may call another file of its folder or package.
    if folders is not None and (top.startswith("plugin_") or top in _plugin_packages()):
        return [file for folder in folders for file in Path(folder).rglob("*.py")]
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    # What is built in, or compiled, has no source to read.
    return [Path(file)] if file.endswith(".py") else []


@functools.cache
def _plugin_packages() -> set[str]:
    return {point.module.partition(".")[0] for group in ENTRY_POINT_GROUPS for point in entry_points(group=group)}


def _functions(value: Any) -> Iterator[Any]:
    """Every function that a recipe holds."""
    if isinstance(value, Recipe):
        value = tuple(getattr(value, name) for name in value.slots())
    if isinstance(value, tuple):
        for member in value:
            yield from _functions(member)
    elif isinstance(value, Configured):
        yield from _functions(value.function)
        yield from _functions(tuple(value.parameters.values()))
    elif callable(value):
        yield value


@functools.cache
def _own_digest(names: tuple[str, ...]) -> str:
    return _digest("".join(_file_digest(Path(__file__).parents[2] / name) for name in names))


@functools.cache
def _package_digest(folder: Path) -> str:
    return _digest("".join(map(_file_digest, sorted(folder.rglob("*.py")))))


def _file_digest(path: Path) -> str:
    """Digest of a source without its comments and docstrings: they change no number."""
    about = path.stat()
    return _content_digest(path, about.st_mtime_ns, about.st_size)


@functools.cache
def _content_digest(path: Path, modified: int, size: int) -> str:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return _digest(ast.dump(tree))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
