"""What a person can add, and what every built-in is made with: remedies and workloads."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vae_jax.data import Dataset, Examples
from vae_jax.recipe import Recipe
from vae_jax.vae import Architecture

FAMILIES = (
    "activation", "residual", "normalization", "initialization", "optimizer", "gradient", "schedule",
    "regularization", "kl", "recurrent", "precision",
)  # fmt: skip


@dataclass(frozen=True)
class Remedy:
    """What `@remedy` makes of a function.

    Attributes:
        name: The function's name.
        family: The kind of remedy; empty until the catalogue fills it in from the file's name.
        source: Authors, year and identifier.
        mechanism: The docstring: what it does to the gradient.
        function: `(recipe, **parameters) -> recipe`.
    """

    name: str
    family: str
    source: str
    mechanism: str
    function: Callable[..., Recipe]

    def __call__(self, recipe: Recipe, **parameters: Any) -> Recipe:
        return self.function(recipe, **parameters)

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that a person may set, with their defaults."""
        return dict(list(inspect.signature(self.function).parameters.items())[1:])


def remedy(*, source: str, family: str = "") -> Callable[[Callable[..., Recipe]], Remedy]:
    """Make a remedy of a function `(recipe, *, parameter=default, ...) -> recipe`.

    What it changes is found by comparing recipes, never declared. Its docstring says in one sentence what it does to
    the gradient.

    Args:
        source: Authors, year and identifier of the work that it comes from.
        family: Its kind; a file in `bench/remedies/` gives its own name to all remedies in it.

    Raises:
        ValueError: If there is no source, no docstring, a parameter without a default, or an unknown family.
    """

    def make(function: Callable[..., Recipe]) -> Remedy:
        name = function.__name__
        if not source.strip():
            raise ValueError(f"remedy {name!r} needs a source: authors, year and identifier")
        if not (function.__doc__ or "").strip():
            raise ValueError(f"remedy {name!r} needs a docstring: one sentence on what it does to the gradient")
        if family and family not in FAMILIES:
            raise ValueError(f"remedy {name!r} has an unknown family {family!r}: choose one of {', '.join(FAMILIES)}")
        first, *rest = inspect.signature(function).parameters.values()
        if any(parameter.default is inspect.Parameter.empty for parameter in rest):
            raise ValueError(f"remedy {name!r} needs a default for every parameter after {first.name!r}")
        return Remedy(name, family, source, inspect.cleandoc(function.__doc__ or ""), function)

    return make


def require(holds: bool, name: str, value: float, rule: str) -> None:
    """Raise unless a remedy's parameter is in its range.

    Raises:
        ValueError: With the value and the rule.
    """
    if not holds:
        raise ValueError(f"{name} must {rule}, got {value:g}")


@dataclass(frozen=True)
class Workload:
    """What all arms on one setting share.

    Attributes:
        architecture: The sizes of the model.
        bases: Recipes by name; the first is the one that vanishes.
        steps: Steps of one training.
        batch: Examples in a minibatch.
        data: Loads the data set.
        plateau: From the data set and a presentation of it, what -ELBO in nats a dead arm sits at there.
    """

    architecture: Architecture
    bases: Mapping[str, Recipe]
    steps: int
    batch: int
    data: Callable[[], Dataset]
    plateau: Callable[[Dataset, Examples], float]


@dataclass(frozen=True)
class WorkloadKind:
    """What `@workload` makes of a function: a workload with parameters."""

    name: str
    description: str
    function: Callable[..., Workload]

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that a person may set, with their defaults."""
        return dict(inspect.signature(self.function).parameters)

    def __call__(self, **parameters: Any) -> Workload:
        return self.function(**parameters)


def workload(function: Callable[..., Workload]) -> WorkloadKind:
    """Make a workload of a function `(*, parameter=default, ...) -> Workload`; its docstring says why it vanishes."""
    name = function.__name__.replace("_", "-")
    if not (function.__doc__ or "").strip():
        raise ValueError(f"workload {name!r} needs a docstring: why the gradient vanishes on it, and where it stalls")
    return WorkloadKind(name, inspect.cleandoc(function.__doc__ or ""), function)
