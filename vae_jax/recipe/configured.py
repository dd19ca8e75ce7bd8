"""Functions with numbers fixed, as values: what the slots of a recipe hold."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

# A number fixed by `configure`: what a person writes as a float is an array inside a compiled program.
Number = float | jax.Array


def require_importable(function: Callable[..., Any]) -> None:
    """Raise unless a function is what its module holds under its name: by that it is known, in every process.

    Raises:
        ValueError: If it is not: a lambda, one made inside another function, a method of an object, one that bears
            another's name. Such a one never compares equal to its like, or is taken for what it is not, and no other
            process can find it.
    """
    name = getattr(function, "__qualname__", getattr(function, "__name__", None))
    module = getattr(function, "__module__", None)
    if name is None or "<" in name or not _is_there(function, module, name):
        shown = f"{module}.{name}, which is another" if name and "<" not in name else name or f"{function!r:.80}"
        raise ValueError(
            f"a slot must hold a function that can be imported by name, got {shown}: define it at the top of its "
            "module, and fix its numbers with configure(function, name=value)"
        )


def _is_there(function: Any, module: str | None, name: str) -> bool:
    found: Any = sys.modules.get(module or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is function


def _require_plain(name: str, value: Any, function: Callable[..., Any]) -> None:
    if callable(value):
        if not isinstance(value, Configured | Deferred):
            require_importable(value)
    elif isinstance(value, tuple):
        for member in value:
            _require_plain(name, member, function)
    elif not isinstance(value, bool | int | float | str | None) or hasattr(value, "shape"):
        raise ValueError(
            f"parameter {name!r} of {function.__name__} is of type {type(value).__name__}: fix plain numbers, names "
            "and functions with configure, and make arrays of them in the function"
        )


def is_structure(value: Any) -> bool:
    """Whether a value makes a program of its own, instead of being an argument of one."""
    return isinstance(value, bool | int | str | None) or (callable(value) and not isinstance(value, Configured))


@dataclass(frozen=True)
class Deferred:
    """A slot's value that depends on the rest of the recipe, or on how deep the towers are.

    Attributes:
        function: `(recipe, depth, **parameters) -> value`.
        parameters: Its keyword arguments.
    """

    function: Callable[..., Any]
    parameters: Mapping[str, Any]

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        raise ValueError(f"{self.function.__name__} waits for the rest of the recipe: call Recipe.resolve(depth) first")

    def resolve(self, recipe: Any, depth: int) -> Any:
        """The value.

        Raises:
            ValueError: If there is none, and why.
        """
        return self.function(recipe, depth, **self.parameters)


def defer(function: Callable[..., Any], **parameters: Any) -> Deferred:
    """A slot's value to be found when the rest of the recipe and the towers' depth are known; compares by value.

    Args:
        function: Importable: `(recipe, depth, **parameters) -> value`, a function or what `configure` makes.
        **parameters: Its keyword arguments.

    Raises:
        ValueError: If the function cannot be imported by its name.
    """
    require_importable(function)
    return Deferred(function, parameters)


def made_by(value: Any) -> Any:
    """The function behind a slot's value, whatever numbers are fixed in it."""
    return value.function if isinstance(value, Configured) else value


def configure(function: Callable[..., Any], **parameters: Any) -> "Configured":
    """A function with some of its keyword arguments fixed, that compares by value.

    What `functools.partial` is not: two of them with the same function and parameters are equal, numbers are leaves of
    the pytree (so another number needs no other program), everything else is structure.

    Args:
        function: An importable function or class: no lambda, and none made inside another function.
        **parameters: Its keyword arguments. A float is a leaf; an int, bool or string is structure.

    Raises:
        ValueError: If the function cannot be imported by its name, or a parameter is no plain value: an array, which
            does not compare, or an object, which nobody knows by a name.
    """
    require_importable(function)
    for name, value in parameters.items():
        _require_plain(name, value, function)
    return Configured(function, parameters)


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class Configured:
    """See `configure`, which makes one."""

    function: Callable[..., Any]
    parameters: Mapping[str, Any]

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named, **self.parameters)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        static = {name: value for name, value in self.parameters.items() if is_structure(value)}
        names = tuple(name for name in self.parameters if name not in static)
        return tuple(self.parameters[name] for name in names), (self.function, names, tuple(static.items()))

    @classmethod
    def tree_unflatten(cls, structure: tuple[Any, ...], leaves: tuple[Any, ...]) -> "Configured":
        function, names, static = structure
        return cls(function, dict(zip(names, leaves, strict=True)) | dict(static))
