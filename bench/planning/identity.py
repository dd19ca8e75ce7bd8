"""Digests by which a stored cell is known: of what was asked, and of the code that answers it.

Equal in both, a stored cell is trusted. Equal in the question alone, it is kept all the same where the worker finds its
lowered programs and their arguments unchanged (`ArmTrainer.fingerprint`), and computed anew where not. A worker finds
the identity once more before it computes: what it would run must be what was planned.
"""

import ast
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bench
from bench.planning.compose_arm import ComposedArm
from bench.planning.loaded_workload import LoadedWorkload
from bench.planning.protocol import Protocol
from bench.planning.xla_flags import flags
from bench.plugins.imports import imported
from bench.plugins.reads import Reads, code_digest
from bench.plugins.source_file import reads_of
from vae_jax.models.contract import Architecture
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.instruments import Instrument

ROOT = Path(bench.__file__ or "").parents[1]

# What runs a cell: all that it imports runs on the host, and is part of the question.
_RUNS = "bench.training.cell"

# But for those rooms whose outcome the question holds by value (recipe, workload, rates), those that are only traced,
# whose programs are in the fingerprint, and verdicts, theory and blame, which are found anew for a cell that is kept. A
# room that is in none of the lists is in the question.
_BY_VALUE = ("bench.language", "bench.data", "bench.results", "bench.plugins", "bench.planning")
# What they hold that decides on the host which trainings there are: the rule of tuning, and what it judges by.
_DECIDES = (
    "bench.planning.protocol",
    "bench.planning.tuning",
    "bench.results.judging.tuned",
    "bench.results.judging.left",
)
_FOUND_ANEW = ("bench.training.explanation", "vae_jax.diagnosis.verdict")
# Of this package: a cell that is stored with other words is kept, and its words are found again.
_SAYS = ("bench/training/explanation.py", "bench/results/judging/rescaling.py")
_TRACED = tuple(
    f"vae_jax.{room}"
    for room in (
        "recipe", "layers", "initialization", "towers", "optimization", "models", "objective", "training", "evaluation",
    )
)  # fmt: skip

# What makes float32 numbers without being imported by name.
_UNNAMED_LIBRARIES = ("jaxlib",)


@dataclass(frozen=True)
class Identity:
    """The identity of a cell, in named parts.

    Attributes:
        asked: Digests of what changes its numbers, but for the code of the mathematics.
        code: Digests of the code that is traced, of a person's own code, and of all that this has read.
    """

    asked: dict[str, str]
    code: dict[str, str]

    @property
    def question(self) -> str:
        """A digest of all that was asked."""
        return _digest(json.dumps(self.asked, sort_keys=True))[:24]

    def __str__(self) -> str:
        return f"{self.question}-{_digest(json.dumps(self.code, sort_keys=True))[:16]}"

    def differs(self, other: "Identity") -> list[str]:
        """The names of the parts in which another differs."""
        parts, others = self.asked | self.code, other.asked | other.code
        return sorted(name for name in parts.keys() | others.keys() if parts.get(name) != others.get(name))


def identify(
    arm: ComposedArm, loaded: LoadedWorkload, protocol: Protocol, instruments: Iterable[Instrument], device_kind: str
) -> Identity:
    """The identity of one arm's cell.

    Args:
        arm: Its recipe, and what was read while it was composed and traced.
        loaded: Its workload, with what that loads.
        protocol: How it is tuned and reported.
        instruments: What is measured inside its trainings.
        device_kind: What it is computed on.
    """
    workload, instruments = loaded.workload, tuple(instruments)
    asked = {
        "recipe": [arm.recipe.describe(), loaded.baseline.describe()],
        "workload": loaded.text,
        "model": repr(workload.architecture),
        "batch": workload.batch,
        "data": loaded.digest,
        "plateau": loaded.plateau,
        "judged by": [loaded.plateau_validation, workload.score.margin, asdict(workload.left)],
        "protocol": [protocol.identity(), protocol.learning_rates(arm.recipe.learning_rate)],
        "instruments": [instrument.name for instrument in instruments],
        "versions": versions(),
        "device": device_kind,
        "flags of XLA": flags(device_kind),
        "code that runs cells": _host_digest(),
    }
    functions = (loaded.function, *(instrument.measure for instrument in instruments))
    reads = own_code(arm.recipe, workload.architecture, *functions)
    for other in (loaded.reads, arm.reads):
        reads.add(other)
    code = {
        "code of this project": package_digest("vae_jax"),
        "what is found anew": _digest("".join(_source_digest(ROOT / path) for path in _SAYS)),
        "own code": reads.digest(),
    }
    return Identity({name: _digest(json.dumps(value, sort_keys=True)) for name, value in asked.items()}, code)


def own_code(recipe: Recipe, architecture: Architecture, *functions: Callable[..., Any]) -> Reads:
    """All of a person's own code that a model is made of, and what that reads.

    Args:
        recipe: The model's.
        architecture: Its sizes.
        *functions: What else is to be told of.
    """
    values = (architecture, architecture.likelihood, architecture.present)
    named = map(_module, (*recipe.functions(), *functions))
    return reads_of({*(type(value).__module__ for value in values), *named})


@functools.cache
def versions() -> dict[str, str]:
    """The versions of the libraries that this project's mathematics and its cells import."""
    paths = [*host_sources(), *_package_sources("vae_jax"), *sorted((ROOT / "bench" / "data").rglob("*.py"))]
    tops = {name.partition(".")[0] for path in paths for name in imported(path.read_bytes(), "")}
    known = importlib.metadata.packages_distributions()
    names = {known[top][0] for top in {*tops, *_UNNAMED_LIBRARIES} if top in known} - {"vae-jax", "vae_jax"}
    return {name: importlib.metadata.version(name) for name in sorted(names)}


def packages() -> dict[str, str]:
    """Digests of this project's packages, for another machine to compare with its own."""
    return {name: package_digest(name)[:12] for name in ("vae_jax", "bench")}


@functools.cache
def package_digest(name: str) -> str:
    """A digest of one of this project's packages, without comments and docstrings."""
    return _digest("".join(map(_source_digest, _package_sources(name))))


@functools.cache
def host_sources() -> tuple[Path, ...]:
    """The sources that decide outside of any compiled program what is trained and what is made of it.

    Found from the imports of what runs a cell: no lowered program tells of a change in them.
    """
    found, waiting = dict[str, Path](), [_RUNS]
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not name.startswith(("bench.", "vae_jax.")) or not path.is_file():
            continue
        elsewhere = (*_BY_VALUE, *_FOUND_ANEW, *_TRACED)
        if name in _DECIDES or not any(name == room or name.startswith(f"{room}.") for room in elsewhere):
            found[name] = path
            waiting += imported(path.read_bytes(), name.rpartition(".")[0])
    return tuple(found[name] for name in sorted(found))


@functools.cache
def _host_digest() -> str:
    return _digest("".join(code_digest(_without_words(path)) for path in host_sources()))


def _without_words(path: Path) -> bytes:
    """A source without its functions `words`: what is said of a rule computes nothing."""
    module = ast.parse(path.read_bytes())
    for node in (module, *(each for each in module.body if isinstance(each, ast.ClassDef))):
        node.body = [each for each in node.body if getattr(each, "name", None) != "words"]
    return ast.unparse(module).encode()


def _package_sources(name: str) -> list[Path]:
    return sorted((ROOT / name).rglob("*.py"))


def _module(function: Any) -> str:
    return getattr(function, "__module__", None) or ""


def _source_digest(path: Path) -> str:
    return code_digest(path.read_bytes())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
