"""What a person can add, and what every built-in is made with: remedies and workloads."""

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from bench.data.dataset import Dataset, Examples
from bench.language.arms import NAME, Term
from bench.language.errors import InputError, briefly
from bench.plugins.source_file import raised_in
from vae_jax.models.vae import Architecture
from vae_jax.recipe.recipe import Recipe

FAMILIES = (
    "activation", "residual", "normalization", "initialization", "optimizer", "gradient", "schedule",
    "regularization", "kl", "recurrent", "precision",
)  # fmt: skip


# Where an installed package names what it adds: an entry point is a module, or one thing in it.
ENTRY_POINT_GROUPS = ("vae_jax.remedies", "vae_jax.workloads", "vae_jax.instruments")


class NotApplicable(ValueError):  # noqa: N818, since it is no error of anybody's
    """What a remedy raises on a recipe where it makes no sense, with the reason: its row is then `not applicable`."""


@dataclass(frozen=True)
class Remedy:
    """What `@remedy` makes of a function.

    Attributes:
        name: The function's name.
        family: The kind of remedy; empty until the catalogue fills it in from the file's name.
        source: Authors, year and identifier.
        mechanism: The docstring: what it does to the gradient.
        function: `(recipe, **parameters) -> recipe`.
        idle: Parameters at which it does nothing; empty where there are none.
    """

    name: str
    family: str
    source: str
    mechanism: str
    function: Callable[..., Recipe]
    idle: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def __call__(self, recipe: Recipe, **parameters: Any) -> Recipe:
        """What it makes of a recipe, which stays as it is.

        Raises:
            NotApplicable: If it makes no sense there.
            InputError: If a parameter is out of range, or it raises, gives no recipe or changes the one it is given.
        """
        # A copy: what it did to the recipe itself, every later remedy would be given.
        given, before = replace(recipe), repr(recipe)
        changed = call("remedy", self.name, self.function, given, passing=(NotApplicable,), **parameters)
        if not isinstance(changed, Recipe):
            raise InputError(
                f"remedy {self.name!r} in {self.place}, returned {type(changed).__name__}: return a recipe, as "
                "recipe.replace(...) makes"
            )
        if repr(given) != before:
            raise InputError(
                f"remedy {self.name!r} in {self.place}, changes the recipe that it is given: return recipe.replace(...)"
            )
        return changed

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that a person may set, with their defaults."""
        return dict(list(inspect.signature(self.function).parameters.items())[1:])

    @property
    def place(self) -> str:
        """File and line where it is written."""
        return place(self.function)


def remedy(
    unnamed: Any = None,
    /,
    *,
    source: str = "",
    family: str = "",
    idle: Mapping[str, bool | int | float | str] | None = None,
) -> Callable[[Callable[..., Recipe]], Remedy]:
    """Make a remedy of a function `(recipe, *, parameter=default, ...) -> recipe`.

    What it changes is found by comparing recipes, never declared. Its docstring says in one sentence what it does to
    the gradient.

    Args:
        unnamed: What stands there where `(source=...)` was forgotten, to be refused.
        source: Authors, year and identifier of the work that it comes from.
        family: Its kind; a file in `bench/remedies/` gives its own name to all remedies in it.
        idle: Parameters at which it does nothing, where there are such: there it must give what the base gives.

    Raises:
        InputError: If there is no source, no docstring, no name that can be typed, a parameter that nobody can set, an
            unknown family, or an idle parameter that it has not.
    """
    if unnamed is not None:
        what = f"remedy {unnamed.__name__!r} in {place(unnamed)}," if callable(unnamed) else f"@remedy({unnamed!r})"
        raise InputError(f"{what} does not name its source: write @remedy(source='authors year, identifier')")

    def make(function: Callable[..., Recipe]) -> Remedy:
        name = _require_function("remedy", function, "one sentence on what it does to the gradient")
        if not (isinstance(source, str) and source.strip()):
            raise InputError(f"{name} needs a source: write @remedy(source='authors year, identifier')")
        if family and family not in FAMILIES:
            raise InputError(f"{name} has an unknown family {family!r}: choose one of {', '.join(FAMILIES)}")
        parameters = list(inspect.signature(function).parameters.values())
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if not parameters or parameters[0].kind not in positional:
            raise InputError(f"{name} takes no recipe: write def {function.__name__}(recipe, *, parameter=default)")
        _require_settable(name, parameters[1:])
        made = Remedy(function.__name__, family, source, inspect.cleandoc(function.__doc__ or ""), function, idle or {})
        for parameter in made.idle:
            if parameter not in made.parameters:
                raise InputError(f"{name} is idle at {parameter!r}, which is none of its parameters: name one that is")
        return made

    return make


def _require_function(kind: str, function: Any, sentence: str) -> str:
    """What a decorated function is, in words, if it is one that can be named."""
    if not inspect.isfunction(function):
        raise InputError(f"@{kind} is for a function, got {function!r:.80}: write it in a line over def name(...)")
    name = f"{kind} {function.__name__!r} in {place(function)},"
    if not NAME.fullmatch(function.__name__):
        raise InputError(f"{name} has a name that cannot be typed: letters, digits and _, a letter first")
    if not (function.__doc__ or "").strip():
        raise InputError(f"{name} needs a docstring: {sentence}")
    return name


def _require_settable(name: str, parameters: Iterable[inspect.Parameter]) -> None:
    """Raise unless what is typed can be given to each parameter."""
    for each in parameters:
        if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) or not NAME.fullmatch(each.name):
            raise InputError(f"{name} has a parameter that nobody can set, {str(each)!r}: write *, {each.name}=default")
        if each.default is each.empty:
            raise InputError(f"{name} needs a default for the parameter {each.name!r}: write {each.name}=value")
        plain = type(each.default) in (bool, int, float, str)
        if not plain or (isinstance(each.default, float) and not math.isfinite(each.default)):
            raise InputError(
                f"{name} has a default for the parameter {each.name!r} that nobody can type, {each.default!r:.80}: "
                "a finite number, true or false, or a name"
            )


def place(function: Callable[..., Any]) -> str:
    """File and line where a function is written."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else f"module {function.__module__}"


def call(
    what: str,
    name: str,
    function: Callable[..., Any],
    *given: Any,
    passing: tuple[type[Exception], ...] = (),
    **parameters: Any,
) -> Any:
    """What a person's own function gives.

    Args:
        what: What the function is, as `remedy`.
        name: What it is called.
        function: The function.
        *given: What it is given always.
        passing: What it may raise that goes on as it is.
        **parameters: What was typed for it.

    Raises:
        InputError: If it raises anything else, with the last line of its own file that this came through.
    """
    try:
        return function(*given, **parameters)
    except (InputError, *passing):
        raise
    except (Exception, SystemExit) as error:
        typed = f"{what} {str(Term(name, tuple(parameters.items())))!r}"
        if parameters and isinstance(error, ValueError):
            # What was typed may have to be mended, and of what is built in nothing else.
            where = "" if function.__module__.startswith("bench.") else f"; {line(error, function)}"
            raise InputError(f"{typed}: {briefly(error)}{where}") from error
        raise InputError(f"{typed} raised {briefly(error, kind=True)}; mend it in {line(error, function)}") from error


def line(error: BaseException, function: Callable[..., Any]) -> str:
    """File and line of a function's own file that an error came through last, or else where the function is written."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return (code and raised_in(error, code.co_filename)) or place(function)


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

    @property
    def place(self) -> str:
        """File and line where it is written."""
        return place(self.function)

    def __call__(self, **parameters: Any) -> Workload:
        """The workload; what it loads, and its plateau, are checked when they are asked for.

        Raises:
            InputError: If a parameter is out of range, or it raises, or something is not as arms need it.
        """
        made = call("workload", self.name, self.function, **parameters)
        self._require(
            isinstance(made, Workload), f"returned {type(made).__name__}", "return a bench.plugins.plugin.Workload"
        )
        self._require(
            isinstance(made.architecture, Architecture), "has no vae_jax.models.vae.Architecture", "give it one"
        )
        bases = made.bases if isinstance(made.bases, Mapping) else {}
        sound = all(isinstance(recipe, Recipe) and NAME.fullmatch(str(name)) for name, recipe in bases.items())
        cure = "name at least one recipe, as bases={'baseline': Recipe()}, of letters, digits, - and _"
        self._require(bool(bases) and sound, f"has the bases {made.bases!r:.100}", cure)
        for name in ("steps", "batch"):
            number = getattr(made, name)
            self._require(type(number) is int and number >= 1, f"has {name}={number!r:.100}", "give at least 1")
        for name in ("data", "plateau"):
            named = hasattr(getattr(made, name), "__qualname__")
            self._require(named, f"has no named function as {name}", "write def name(...), and give that itself")

        @functools.wraps(made.data)
        def data() -> Dataset:
            loaded = call("data of workload", self.name, made.data)
            for split in ("train", "validation", "test"):
                self._require_examples(getattr(loaded, split, None), split, made.architecture.data)
            return loaded

        @functools.wraps(made.plateau)
        def plateau(dataset: Dataset, x: Examples) -> float:
            nats = call("plateau of workload", self.name, made.plateau, dataset, x)
            sound = isinstance(nats, float | int | np.floating) and 0 < float(nats) < math.inf
            # How far a training may diverge is a multiple of it.
            self._require(sound, f"has a plateau of {nats!r:.100}", "give a finite number of nats above 0")
            return float(nats)

        return replace(made, data=data, plateau=plateau)

    def _require_examples(self, values: Any, split: str, columns: int) -> None:
        examples = isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.floating)
        sound = examples and values.ndim == 2 and len(values) > 0 and values.shape[1] == columns
        what = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        if sound and not np.isfinite(values).all():
            sound, what = False, "numbers that are not finite"
        cure = f"its data function must return a bench.data.digits.Dataset of finite floats, examples by {columns}"
        self._require(sound, f"loads {what} as {split}", f"{cure}, as its architecture says")

    def _require(self, holds: bool, wrong: str, cure: str) -> None:
        if not holds:
            raise InputError(f"workload {self.name!r} in {self.place}, {wrong}: {cure}")


def workload(function: Any = None, /) -> WorkloadKind:
    """Make a workload of a function `(*, parameter=default, ...) -> Workload`; its docstring says why it vanishes.

    Raises:
        InputError: If there is no docstring, no name that can be typed, or a parameter that nobody can set.
    """
    if function is None:
        raise InputError("@workload() takes nothing: write @workload, without brackets")
    name = _require_function("workload", function, "why the gradient vanishes on it, and where it stalls")
    _require_settable(name, inspect.signature(function).parameters.values())
    return WorkloadKind(function.__name__.replace("_", "-"), inspect.cleandoc(function.__doc__ or ""), function)
