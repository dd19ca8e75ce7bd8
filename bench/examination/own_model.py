"""Diagnose a person's own model on their own data; every mistake becomes a sentence."""

import importlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bench.language.errors import InputError, unknown
from bench.planning.catalogue import load_catalogue
from bench.plugins.source_file import load_source
from vae_jax.diagnosis.any_model import as_function
from vae_jax.diagnosis.diagnose import Diagnosis, applied, diagnose
from vae_jax.diagnosis.verdict import RULES
from vae_jax.recipe.keys import random_key

_SEED = 0


@dataclass(frozen=True)
class Case:
    """A diagnosis with what was diagnosed.

    Attributes:
        model: As it was named on the command line.
        data: The file of its data.
        shape: Shape of the batch.
        diagnosis: What was found.
        remedies: For each family that addresses the verdict, its remedies in the catalogue.
        rules: How a verdict is found, in words.
        command: The command that made it.
    """

    model: str
    data: str
    shape: tuple[int, ...]
    diagnosis: Diagnosis
    remedies: Mapping[str, Sequence[str]]
    rules: Sequence[str]
    command: str


def examine(model: str, data: str, loss: str | None, examples: int, command: str) -> Case:
    """Load a model, its data and its loss, and diagnose it.

    Args:
        model: "package.module:make_model" or "file.py:make_model"; a function without arguments that returns what
            `vae_jax.diagnose` takes, or that itself.
        data: A file of numpy's `.npy` format, the examples along its first axis.
        loss: Where a loss is, written like the model; None for a random direction at the output.
        examples: How many of the examples to use, the first ones.
        command: What was typed.

    Raises:
        InputError: If any of these cannot be loaded, does not fit the others, or holds nothing to diagnose.
    """
    if examples < 2:
        raise InputError(f"examples must be at least 2, got {examples}: one example alone has no cosine with another")
    batch = _batch(data, examples)
    made = _made(model)
    objective = None if loss is None else _found(loss, "loss")
    if objective is not None and not callable(objective):
        kind = type(objective).__name__
        raise InputError(f"loss {loss!r} is of type {kind}: it must be a function of the model's output")
    key = random_key(_SEED)
    try:
        function, parameters = as_function(made, key)
    except ValueError as error:
        raise InputError(f"{model}: {error}") from error
    shape = " x ".join(map(str, batch.shape))
    outputs = _tried(
        f"model {model!r}", f"on data of shape {shape}", lambda: jax.eval_shape(function, parameters, batch)
    )
    if objective is not None:
        given = f"on the model's output for data of shape {shape}"
        _tried(f"loss {loss!r}", given, lambda: jax.eval_shape(applied(objective, batch), outputs))
    try:
        found = diagnose(made, batch, loss=objective, key=key)
    except ValueError as error:
        raise InputError(f"{model} on {data}: {error}") from error
    catalogue = load_catalogue().remedies.values()
    remedies = {family: [remedy.name for remedy in catalogue if remedy.family == family] for family in found.families}
    return Case(model, data, tuple(batch.shape), found, remedies, RULES, command)


def _batch(path: str, examples: int) -> jax.Array:
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no data file {path!r}: give the path of an .npy file, as numpy.save writes it")
    try:
        with file.open("rb") as opened:
            array = np.load(opened, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"data file {path!r} cannot be read: {_line(error)}; write it with numpy.save") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"data file {path!r} holds several arrays: write one array with numpy.save")
    if array.dtype.kind not in "fiub":
        raise InputError(f"data file {path!r} holds {array.dtype}: it must hold real numbers")
    if array.ndim == 0 or len(array) < 2:
        shape = " x ".join(map(str, array.shape)) or "a single number"
        raise InputError(f"data file {path!r} holds {shape}: it must hold at least 2 examples along its first axis")
    if array.dtype.kind == "f":
        bad = int(array.size - np.isfinite(array).sum())
        if bad:
            raise InputError(f"data file {path!r} holds {bad} NaN or infinite of {array.size} entries: clean it first")
        array = array.astype(np.float32)
    # jax has no 64-bit integers unless told to.
    return jnp.asarray(array[:examples].astype(np.int32) if array.dtype.kind in "iu" else array[:examples])


def _made(target: str) -> Any:
    made = _found(target, "model")
    if isinstance(made, nnx.Module | tuple):
        return made
    if not callable(made):
        kind = type(made).__name__
        raise InputError(f"model {target!r} is of type {kind}: it must be a function that returns the model")
    return _tried(f"model {target!r}", "when it was made", made)


def _found(target: str, kind: str) -> Any:
    """The object that "package.module:name" or "file.py:name" names."""
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise InputError(f"{kind} {target!r} must be written as package.module:name or file.py:name")
    module = _file(place, kind) if place.endswith(".py") else _module(place, kind)
    if not hasattr(module, name):
        public = [key for key, value in vars(module).items() if not key.startswith("_") and callable(value)]
        raise unknown(f"name in {place}", name, public)
    return getattr(module, name)


def _module(place: str, kind: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        # A module that is there and imports one that is not is another mistake.
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            cure = "run from the folder that holds it, or give the path of its file"
            raise InputError(f"there is no module {place!r} for the {kind}: {cure}") from error
        raise InputError(f"{kind} module {place!r} raised {_line(error)} when it was imported") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{kind} module {place!r} raised {_line(error)} when it was imported") from error


def _file(place: str, kind: str) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        raise InputError(f"there is no file {place!r} for the {kind}: give the path of a Python file")
    return _tried(f"{kind} file {place!r}", "when it was loaded", lambda: load_source(path, f"doctor_{path.stem}"))


def _tried(what: str, when: str, call: Callable[[], Any]) -> Any:
    """A person's own code run: what it raises is told with its line."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _own(frame.filename)]
        where = f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""
        raise InputError(f"{what} raised {_line(error)}{where} {when}") from error


def _own(filename: str) -> bool:
    """Whether a file is neither a library's nor this project's."""
    here = Path(__file__).resolve().parents[2]
    path = Path(filename)
    return path.is_file() and "site-packages" not in path.parts and not any(
        path.is_relative_to(here / package) for package in ("bench", "vae_jax")
    ) and not path.is_relative_to(Path(importlib.__file__).parents[1])  # fmt: skip


def _line(error: BaseException) -> str:
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__
