"""Any model and its loss as one pure function of parameters and a batch, called as they are written."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from jaxtyping import PRNGKeyArray

from vae_jax.diagnosis.calling.arguments import Arguments

_SEED = 0

Function = Callable[[Any, Any], Any]


class Made(NamedTuple):
    """What a whole pass makes.

    Attributes:
        loss: One number.
        outputs: The model's outputs by their paths; none where the loss alone is known.
        parts: The loss's own parts by name, where it returns them.
    """

    loss: Any
    outputs: dict[str, Any]
    parts: dict[str, Any]


class Whole(NamedTuple):
    """A model with its loss.

    Attributes:
        function: From parameters and a batch to `Made`.
        parameters: The leaves that have a gradient, in their tree.
        differentiated: What the loss is, in words.
        said: What was given to arguments that nobody named, a sentence each.
    """

    function: Callable[[Any, Any], Made]
    parameters: Any
    differentiated: str
    said: tuple[str, ...]


def as_whole(
    model: Any,
    batch: Any,
    key: PRNGKeyArray,
    loss: Callable[..., Any] | None = None,
    objective: Callable[..., Any] | None = None,
) -> Whole:
    """A pure function that does what model and loss do, and the parameters.

    The model stays as it is: an NNX module is copied before it is called, what a Linen one writes is dropped.

    Args:
        model: An NNX module; a Linen module with its variables; `(apply, parameters)`; a training state with
            `apply_fn` and `params`; or any callable pytree. With `objective`, what its first argument is.
        batch: An array, or a tree of arrays; of a mapping each array is given to the argument of its name, where the
            function has one such.
        key: Given to whatever asks for one.
        loss: `(outputs)` or `(outputs, batch)`, or with arguments of the batch's names, to a number or to
            `(number, parts)`. Without it a fixed random unit vector is pulled back from the outputs.
        objective: The whole loss, `(model, batch)`, or with a key, likewise to a number or to `(number, parts)`.

    Raises:
        ValueError: If the model is none of these, or the loss no single real number.
    """
    if objective is not None:
        whole = Arguments(objective, batch, key, taken=1)
        restored, parameters = _first_argument(model)

        def judged_whole(parameters: Any, batch: Any) -> Made:
            number, parts = _number(whole.call(restored(parameters), batch=batch), "an objective")
            return Made(number, {}, parts)

        return Whole(judged_whole, parameters, f"the given objective, {_name(objective)}", whole.said)
    function, parameters, said = as_function(model, batch, key)
    if loss is not None:
        judge = Arguments(loss, batch, key, taken=1)

        def judged(parameters: Any, batch: Any) -> Made:
            outputs = function(parameters, batch)
            number, parts = _number(judge.call(outputs, batch=batch), "a loss")
            return Made(number, named_leaves(outputs), parts)

        return Whole(judged, parameters, f"the given loss, {_name(loss)}", (*said, *judge.said))

    directions = _directions(jax.eval_shape(lambda *given: named_leaves(function(*given)), parameters, batch))

    def pulled_back(parameters: Any, batch: Any) -> Made:
        outputs = named_leaves(function(parameters, batch))
        number = sum(
            jnp.sum(outputs[name] * jnp.asarray(direction, outputs[name].dtype))
            for name, direction in directions.items()
        )
        return Made(number, outputs, {})

    said_of = "no loss was given: a fixed random unit vector pulled back from the output"
    return Whole(pulled_back, parameters, said_of, said)


def as_function(model: Any, batch: Any, key: PRNGKeyArray) -> tuple[Function, Any, tuple[str, ...]]:
    """A pure `function(parameters, batch)` that does what a model does, the parameters, and what it was given.

    Args:
        model: As for `as_whole`.
        batch: What it is called with.
        key: Given to whatever asks for one; to a Linen module also for its dropout.

    Raises:
        ValueError: If it is no such model.
    """
    if isinstance(model, nnx.Module):
        return _nnx(model, batch, key)
    if callable(getattr(model, "apply_fn", None)) and hasattr(model, "params"):
        # A training state.
        variables = {"params": model.params}
        if getattr(model, "batch_stats", None) is not None:
            variables["batch_stats"] = model.batch_stats
        model = (model.apply_fn, variables)
    if isinstance(model, tuple) and len(model) == 2:
        apply, parameters = model
        module = apply if isinstance(apply, linen.Module) else getattr(apply, "__self__", None)
        if isinstance(module, linen.Module) and isinstance(parameters, Mapping):
            variables = parameters if "params" in parameters else {"params": parameters}
            return _linen(module, variables, batch, key)
        if callable(apply):
            arguments = Arguments(apply, batch, key, taken=1)
            restored, moving = _parted(parameters)
            return (
                lambda parameters, batch: arguments.call(restored(parameters), batch=batch),
                moving,
                arguments.said,
            )
    if callable(model) and not isinstance(model, type | linen.Module) and any(map(_real, jax.tree.leaves(model))):
        arguments = Arguments(model, batch, key)
        restored, moving = _parted(model)
        own = Arguments(type(model).__call__, batch, key, taken=1)
        return (lambda parameters, batch: own.call(restored(parameters), batch=batch)), moving, arguments.said
    shown = f"a tuple of {len(model)}" if isinstance(model, tuple) else f"a {type(model).__name__}"
    raise ValueError(
        f"a model must be a Flax NNX module, a pair (Linen module, variables), a pair (apply function, parameters), a "
        f"training state or a callable pytree, got {shown}"
    )


def named_leaves(outputs: Any) -> dict[str, Any]:
    """The arrays of a model's outputs by their paths; dataclasses are opened, whether JAX knows them or not."""
    found: dict[str, Any] = {}

    def visit(value: Any, path: tuple[str, ...]) -> None:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            for each in dataclasses.fields(value):
                visit(getattr(value, each.name), (*path, each.name))
        elif isinstance(value, Mapping):
            for name, each in value.items():
                visit(each, (*path, str(name)))
        elif isinstance(value, tuple) and (fields := getattr(value, "_fields", ())):
            for name in fields:
                visit(getattr(value, name), (*path, name))
        elif isinstance(value, tuple | list):
            for place, each in enumerate(value):
                visit(each, (*path, str(place)))
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            found["/".join(path) or "output"] = value
        else:
            for place, leaf in enumerate(jax.tree.leaves(value)):
                if isinstance(leaf, jax.Array):
                    found["/".join((*path, str(place)))] = leaf

    visit(outputs, ())
    return found


def _nnx(model: nnx.Module, batch: Any, key: PRNGKeyArray) -> tuple[Function, Any, tuple[str, ...]]:
    if not callable(model):
        raise ValueError(
            f"an NNX module must have a __call__ to be diagnosed, {type(model).__name__} has none: give its loss as "
            f"an objective of the module and the batch"
        )
    restored, parameters = _first_argument(model)
    arguments = Arguments(type(model).__call__, batch, key, taken=1)
    return lambda parameters, batch: arguments.call(restored(parameters), batch=batch), parameters, arguments.said


def _linen(
    module: Any, variables: Mapping[str, Any], batch: Any, key: PRNGKeyArray
) -> tuple[Function, Any, tuple[str, ...]]:
    rest = {name: collection for name, collection in variables.items() if name != "params"}
    arguments = Arguments(type(module).__call__, batch, key, taken=1)
    restored, parameters = _parted(variables.get("params", {}))

    def function(parameters: Any, batch: Any) -> Any:
        def call(module: Any) -> Any:
            return arguments.call(module, batch=batch)

        # Linen takes the key of params for every stream that has none of its own.
        own = {"params": restored(parameters), **rest}
        return module.apply(own, rngs={"params": key}, mutable=list(rest) or ["nothing"], method=call)[0]

    return function, parameters, arguments.said


def _first_argument(model: Any) -> tuple[Callable[[Any], Any], Any]:
    """What a loss of the model itself is given, made of the parameters; and those."""
    if isinstance(model, nnx.Module):
        graph, parameters, rest = nnx.split(model, nnx.Param, ...)
        restored, moving = _parted(nnx.as_pure(parameters))
        # A copy: merged without, the call would write statistics and key counts into the model itself.
        return (lambda parameters: nnx.merge(graph, restored(parameters), rest, copy=True)), moving
    if isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], linen.Module):
        return _parted(model[1])
    return _parted(model)


def _parted(tree: Any) -> tuple[Callable[[Any], Any], Any]:
    """A tree's real leaves by their paths, and how to put them back; whatever else it holds is constant."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    if all(_real(leaf) for _, leaf in leaves):
        return (lambda parameters: parameters), jax.tree.map(jnp.asarray, tree)
    places = [place for place, (_, leaf) in enumerate(leaves) if _real(leaf)]
    names = [
        "/".join(jax.tree_util.keystr((key,), simple=True) for key in leaves[place][0]) or "parameter"
        for place in places
    ]

    def restored(parameters: Any) -> Any:
        everything = [leaf for _, leaf in leaves]
        for place, name in zip(places, names, strict=True):
            everything[place] = parameters[name]
        return jax.tree.unflatten(structure, everything)

    return restored, {name: jnp.asarray(leaves[place][1]) for place, name in zip(places, names, strict=True)}


def _real(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _number(result: Any, what: str) -> tuple[Any, dict[str, Any]]:
    """A loss's one number, and its parts by name."""
    number: Any = result
    parts: Any = {}
    if isinstance(result, tuple) and len(result) == 2:
        number, parts = result
    if not hasattr(number, "dtype") or jnp.shape(number) != () or not jnp.issubdtype(number.dtype, jnp.floating):
        shape = getattr(number, "shape", None)
        shown = f"{number.dtype} of shape {shape}" if shape is not None else f"a {type(number).__name__}"
        raise ValueError(f"{what} must return one real number, or that and its parts, got {shown}: take its mean")
    scalars = {
        name: value
        for name, value in named_leaves(parts).items()
        if jnp.shape(value) == () and jnp.issubdtype(value.dtype, jnp.floating)
    }
    return number, scalars


def _directions(outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A random unit vector over a model's real outputs."""
    real = {name: leaf for name, leaf in outputs.items() if jnp.issubdtype(leaf.dtype, jnp.floating)}
    if not real:
        raise ValueError(
            "the model's output holds no real numbers, so there is no gradient: give a model that ends in some"
        )
    draw = np.random.default_rng(_SEED)
    drawn = {name: draw.normal(size=leaf.shape) for name, leaf in real.items()}
    length = math.sqrt(sum(float((direction**2).sum()) for direction in drawn.values()))
    return {name: direction / length for name, direction in drawn.items()}


def _name(function: Any) -> str:
    return getattr(function, "__name__", "a function")
