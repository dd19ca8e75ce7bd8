"""A remedy: a named function from a recipe to a recipe, with its source."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from bench.language.errors import InputError
from bench.plugins.own_code import OwnCodeError, call, location, require_function, require_settable
from vae_jax.recipe.recipe import Recipe

FAMILIES = (
    "activation", "residual", "normalization", "initialization", "optimizer", "gradient", "schedule",
    "regularization", "kl", "recurrent", "precision",
)  # fmt: skip


class NotApplicable(ValueError):  # noqa: N818, since it is no error of anybody's
    """Raised by a remedy on a recipe where it makes no sense, with the reason: its row is then `not applicable`."""


@dataclass(frozen=True)
class Remedy:
    """A remedy, as `@remedy` makes one of a function.

    Attributes:
        name: The function's name.
        family: The kind of remedy; empty until the catalogue fills it in from the file's name.
        source: Authors, year and identifier.
        mechanism: The docstring: what it does to the gradient.
        function: `(recipe, **parameters) -> recipe`.
        idle: Parameters at which it does nothing; empty where there are none.
        control: Whether it is tried to be compared with, and not to be recommended.
    """

    name: str
    family: str
    source: str
    mechanism: str
    function: Callable[..., Recipe]
    idle: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    control: bool = False

    def __call__(self, recipe: Recipe, **parameters: Any) -> Recipe:
        """Change a recipe, which itself stays as it is.

        Raises:
            NotApplicable: If it makes no sense there.
            InputError: If a parameter is out of range, or it raises, gives no recipe or changes the one it is given.
        """
        # A copy: what it did to the recipe itself, every later remedy would be given.
        given, before = replace(recipe), repr(recipe)
        changed = call("remedy", self.name, self.function, given, passing=(NotApplicable,), **parameters)
        if not isinstance(changed, Recipe):
            raise OwnCodeError(
                f"remedy {self.name!r} in {self.location}, returned {type(changed).__name__}: return a recipe, as "
                "recipe.replace(...) makes"
            )
        if repr(given) != before:
            raise OwnCodeError(
                f"remedy {self.name!r} in {self.location}, changes the recipe that it is given: return "
                "recipe.replace(...)"
            )
        return changed

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that a person may set, with their defaults."""
        return dict(list(inspect.signature(self.function).parameters.items())[1:])

    @property
    def location(self) -> str:
        """File and line where it is written."""
        return location(self.function)


def remedy(
    unnamed: Any = None,
    /,
    *,
    source: str = "",
    family: str = "",
    idle: Mapping[str, bool | int | float | str] | None = None,
    control: bool = False,
) -> Callable[[Callable[..., Recipe]], Remedy]:
    """Make a remedy of a function `(recipe, *, parameter=default, ...) -> recipe`.

    What it changes is found by comparing recipes, never declared. Its docstring says in one sentence what it does to
    the gradient.

    Args:
        unnamed: What stands there where `(source=...)` was forgotten, to be refused.
        source: Authors, year and identifier of the work that it comes from.
        family: Its kind; a file in `bench/remedies/` gives its own name to all remedies in it.
        idle: Parameters at which it does nothing, where there are such: there it must give what the base gives.
        control: Whether it is tried to be compared with, as what is known to do harm or what nobody could train with: a
            table has its arms apart, and no sentence recommends them.

    Raises:
        InputError: If there is no source, no docstring, no name that can be typed, a parameter that nobody can set, an
            unknown family, or an idle parameter that it has not.
    """
    if unnamed is not None:
        what = f"remedy {unnamed.__name__!r} in {location(unnamed)}," if callable(unnamed) else f"@remedy({unnamed!r})"
        raise InputError(f"{what} does not name its source: write @remedy(source='authors year, identifier')")

    def make(function: Callable[..., Recipe]) -> Remedy:
        name = require_function("remedy", function, "one sentence on what it does to the gradient")
        if not (isinstance(source, str) and source.strip()):
            raise InputError(f"{name} needs a source: write @remedy(source='authors year, identifier')")
        if family and family not in FAMILIES:
            raise InputError(f"{name} has an unknown family {family!r}: choose one of {', '.join(FAMILIES)}")
        parameters = list(inspect.signature(function).parameters.values())
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if not parameters or parameters[0].kind not in positional:
            raise InputError(f"{name} takes no recipe: write def {function.__name__}(recipe, *, parameter=default)")
        require_settable(name, parameters[1:])
        mechanism = inspect.cleandoc(function.__doc__ or "")
        made = Remedy(function.__name__, family, source, mechanism, function, idle or {}, control)
        for parameter in made.idle:
            if parameter not in made.parameters:
                raise InputError(f"{name} is idle at {parameter!r}, which is none of its parameters: name one that is")
        return made

    return make


def require(holds: bool, name: str, value: float, rule: str) -> None:
    """Raise unless a remedy's parameter is in its range.

    Raises:
        ValueError: With the value and the rule.
    """
    if not holds:
        raise ValueError(f"{name} must {rule}, got {value:g}")


def require_positive(**values: float) -> None:
    """Raise unless a remedy's parameters, by name, are above 0.

    Raises:
        ValueError: With the first that is not.
    """
    for name, value in values.items():
        require(value > 0, name, value, "be above 0")
