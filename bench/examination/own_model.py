"""Diagnose a person's own model on their own data; every mistake becomes a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from flax import nnx

from bench.examination.own_batch import load_batch
from bench.examination.own_code import found, own_file_frames, tried
from bench.examination.own_parameters import with_parameters
from bench.language.errors import InputError
from bench.results.judging.advice import Advice, advice_for
from vae_jax.diagnosis.diagnose import diagnose
from vae_jax.diagnosis.diagnosis import Diagnosis
from vae_jax.diagnosis.verdict import PASS_RULES
from vae_jax.recipe.keys import random_key

_SEED = 0


@dataclass(frozen=True)
class Case:
    """A diagnosis with what was diagnosed.

    Attributes:
        model: As it was named on the command line.
        data: The file of its data, or the function that made it.
        shape: Shapes of the batch's arrays, in words.
        given: How many examples it has.
        diagnosis: What was found.
        advice: Remedies that mended the same finding in this suite's own runs.
        rules: How a verdict is found, in words.
        command: The command that made it.
    """

    model: str
    data: str
    shape: str
    given: int
    diagnosis: Diagnosis
    advice: Sequence[Advice]
    rules: Sequence[str]
    command: str


def examine(
    model: str,
    data: str,
    *,
    loss: str | None = None,
    objective: str | None = None,
    parameters: str | None = None,
    examples: int = 128,
    command: str = "",
) -> Case:
    """Load a model, its data and its loss, and diagnose it.

    Args:
        model: "package.module:make_model" or "file.py:make_model"; a function without arguments that returns what
            `vae_jax.diagnose` takes, or that itself.
        data: An .npy file, examples along its first axis; an .npz file, whose arrays are given to the arguments of
            their names; or a function that makes the batch, written like the model.
        loss: Where a loss of the model's outputs is, written like the model.
        objective: Where the whole loss is, of the model and the batch, written like the model.
        parameters: A file of trained parameters, safetensors or Flax's msgpack, or an Orbax folder.
        examples: How many of the examples to use, the first ones.
        command: What was typed.

    Raises:
        InputError: If any of these cannot be loaded, does not fit the others, or holds nothing to diagnose.
    """
    if examples < 2:
        raise InputError(f"examples must be at least 2, got {examples}: one example alone has no cosine with another")
    if loss is not None and objective is not None:
        raise InputError("--loss and --objective are two ways to say what is differentiated: give one of them")
    batch = load_batch(data, examples)
    made = _made(model)
    if parameters is not None:
        made = with_parameters(made, parameters)
    judges = {"loss": _function(loss, "loss"), "objective": _function(objective, "objective")}
    what = " with ".join(filter(None, (repr(model), objective or loss)))
    try:
        with own_file_frames(f"model {what}", f"on data of shape {_shape(batch)}"):
            seen = diagnose(made, batch, key=random_key(_SEED), **judges)
    except ValueError as error:
        raise InputError(f"{model} on {data}: {error}") from error
    return Case(model, data, _shape(batch), _given(batch), seen, advice_for(seen.verdict), PASS_RULES, command)


def _given(batch: Any) -> int:
    return min(len(leaf) for leaf in jax.tree.leaves(batch) if leaf.ndim)


def _shape(batch: Any) -> str:
    named = jax.tree_util.tree_flatten_with_path(batch)[0]
    shapes = [
        (jax.tree_util.keystr(path, simple=True, separator="/"), " x ".join(map(str, leaf.shape)) or "one number")
        for path, leaf in named
    ]
    return ", ".join(f"{name} {shape}".strip() for name, shape in shapes)


def _made(target: str) -> Any:
    made = found(target, "model")
    # A module's class is called to make one, and so is a function; what is already made is taken as it is.
    if isinstance(made, nnx.Module | tuple) or not callable(made):
        return made
    return tried(f"model {target!r}", "when it was made", made)


def _function(target: str | None, kind: str) -> Callable[..., Any] | None:
    if target is None:
        return None
    function = found(target, kind)
    if not callable(function):
        of = "the model's output" if kind == "loss" else "the model and the batch"
        raise InputError(f"{kind} {target!r} is of type {type(function).__name__}: it must be a function of {of}")
    return function
