"""A workload: data, model, bases and length of one setting in which a training provably stalls."""

import functools
import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from bench.data.dataset import Dataset
from bench.data.reading.medium import Medium
from bench.language.arms import NAME
from bench.language.errors import InputError
from bench.plugins.own_code import call, location, require_function, require_settable
from bench.results.judging.score import BELOW_PLATEAU, NEGATIVE_ELBO, Left, Score
from vae_jax.models.contract import Architecture
from vae_jax.recipe.recipe import Recipe


@dataclass(frozen=True)
class Workload:
    """Everything that all arms on one setting share.

    Attributes:
        architecture: The sizes of the model.
        bases: Recipes by name; the first is the one that vanishes.
        steps: Steps of one training.
        batch: Examples in a minibatch.
        data: Loads the data set.
        plateau: From the data set and a presentation of it, the score that a dead arm sits at there.
        score: What its trainings are judged by.
        left: The rule by which a training has left the plateau.
        medium: How examples are read from a person's file, and written and shown; None where they are not.
    """

    architecture: Architecture
    bases: Mapping[str, Recipe]
    steps: int
    batch: int
    data: Callable[[], Dataset]
    plateau: Callable[[Dataset, Any], float]
    score: Score = NEGATIVE_ELBO
    left: Left = BELOW_PLATEAU
    medium: Medium | None = None


@dataclass(frozen=True)
class WorkloadKind:
    """A workload with parameters, as `@workload` makes one of a function."""

    name: str
    description: str
    function: Callable[..., Workload]

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that a person may set, with their defaults."""
        return dict(inspect.signature(self.function).parameters)

    @property
    def location(self) -> str:
        """File and line where it is written."""
        return location(self.function)

    def __call__(self, **parameters: Any) -> Workload:
        """The workload; what it loads, and its plateau, are checked when they are asked for.

        Raises:
            InputError: If a parameter is out of range, or it raises, or something is not as arms need it.
        """
        made = call("workload", self.name, self.function, **parameters)
        self._require(isinstance(made, Workload), f"returned {type(made).__name__}", "return a bench.Workload")
        self._require(
            isinstance(made.architecture, Architecture), "has no vae_jax.models.vae.VAEArchitecture", "give it one"
        )
        # By it a stored cell is known.
        unnamed = re.search(r"[\w.]+ object at 0x", repr(made.architecture))
        kind = unnamed.group().split()[0] if unnamed else ""
        self._require(not unnamed, f"has an architecture with a {kind} that shows no numbers", "make it a dataclass")
        bases = made.bases if isinstance(made.bases, Mapping) else {}
        sound = all(isinstance(recipe, Recipe) and NAME.fullmatch(str(name)) for name, recipe in bases.items())
        cure = "name at least one recipe, as bases={'baseline': Recipe()}, of letters, digits, - and _"
        self._require(bool(bases) and sound, f"has the bases {made.bases!r:.100}", cure)
        for name in ("steps", "batch"):
            number = getattr(made, name)
            self._require(type(number) is int and number >= 1, f"has {name}={number!r:.100}", "give at least 1")
        self._require_score(made)
        fits = made.medium is None or isinstance(made.medium, Medium)
        self._require(fits, f"has the medium {made.medium!r:.100}", "give bench.Images(shape) or bench.Values(columns)")
        for name in ("data", "plateau"):
            named = hasattr(getattr(made, name), "__qualname__")
            self._require(named, f"has no named function as {name}", "write def name(...), and give that itself")

        @functools.wraps(made.data)
        def data() -> Dataset:
            loaded = call("data of workload", self.name, made.data)
            for split in ("train", "validation", "test"):
                self._require_rows(getattr(loaded, split, None), split, made.architecture)
            return loaded

        @functools.wraps(made.plateau)
        def plateau(dataset: Dataset, x: Any) -> float:
            found = call("plateau of workload", self.name, made.plateau, dataset, x)
            sound = isinstance(found, float | int | np.floating) and math.isfinite(found)
            cure = f"give the {made.score.name} of an arm that has learnt nothing, a finite number"
            self._require(sound, f"has a plateau of {found!r:.100}", cure)
            return float(found)

        return replace(made, data=data, plateau=plateau)

    def _require_score(self, made: Workload) -> None:
        score, left = made.score, made.left
        sound = (
            isinstance(score, Score)
            and all(isinstance(text, str) and text.strip() for text in (score.name, score.unit))
            and isinstance(score.margin, float | int)
            and 0 < score.margin < math.inf
        )
        cure = "write bench.Score('squared error', 'per image', margin=0.1), the margin above 0"
        self._require(sound, f"has the score {score!r:.100}", cure)
        cure = "give bench.BELOW_PLATEAU, or of a model with a z bench.Z_IS_USED"
        used = bool(made.architecture.before_z)
        self._require(isinstance(left, Left) and (left.by_score or used), f"has left={left!r:.100}", cure)

    def _require_rows(self, rows: Any, split: str, architecture: Architecture) -> None:
        if isinstance(rows, np.ndarray):
            return self._require_examples(rows, split, architecture)
        leaves = jax.tree.leaves(rows)
        sound = bool(leaves) and all(isinstance(leaf, np.ndarray) and leaf.ndim for leaf in leaves)
        what = ", ".join(sorted({type(leaf).__name__ for leaf in leaves})) or type(rows).__name__
        cure = "its data function must return a bench.data.dataset.Dataset of arrays, or of pytrees of arrays"
        self._require(sound, f"loads {what} as {split}", cure)
        counts = sorted({len(leaf) for leaf in leaves})
        cure = "give every array one row for each example"
        self._require(len(counts) == 1 and counts[0] > 0, f"loads arrays of {counts} rows as {split}", cure)
        with np.errstate(over="ignore"):
            finite = all(
                np.isfinite(leaf.astype(np.float32)).all() for leaf in leaves if np.issubdtype(leaf.dtype, np.floating)
            )
        self._require(finite, f"loads numbers that are not finite in float32 as {split}", "mend or leave them out")
        return None

    def _require_examples(self, values: Any, split: str, architecture: Architecture) -> None:
        shape = architecture.mean_shape
        examples = isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.floating)
        sound = examples and len(values) > 0 and values.shape[1:] == shape
        what = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        # Beyond 3.4e38 a number is infinite in float32, in which trainings are computed.
        with np.errstate(over="ignore"):
            if sound and not np.isfinite(values.astype(np.float32)).all():
                sound, what = False, "numbers that are not finite in float32"
        by = " by ".join(map(str, shape))
        cure = f"its data function must return a bench.data.dataset.Dataset of finite floats, examples by {by}"
        self._require(sound, f"loads {what} as {split}", f"{cure}, as its architecture says")
        low, high = getattr(architecture.likelihood, "support", (-math.inf, math.inf))
        least, most = float(values.min()), float(values.max())
        self._require(
            low <= least and most <= high,
            f"loads numbers from {least:g} to {most:g} as {split}",
            f"its likelihood, {type(architecture.likelihood).__name__}, is of numbers from {low:g} to {high:g}: scale "
            "them, or give the architecture another likelihood",
        )

    def _require(self, holds: bool, wrong: str, cure: str) -> None:
        if not holds:
            raise InputError(f"workload {self.name!r} in {self.location}, {wrong}: {cure}")


def workload(function: Any = None, /) -> WorkloadKind:
    """Make a workload of a function `(*, parameter=default, ...) -> Workload`; its docstring says why it vanishes.

    Raises:
        InputError: If there is no docstring, no name that can be typed, or a parameter that nobody can set.
    """
    if function is None:
        raise InputError("@workload() takes nothing: write @workload, without brackets")
    name = require_function("workload", function, "why the gradient vanishes on it, and where it stalls")
    require_settable(name, inspect.signature(function).parameters.values())
    return WorkloadKind(function.__name__.replace("_", "-"), inspect.cleandoc(function.__doc__ or ""), function)
