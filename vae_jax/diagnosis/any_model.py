"""Any model as a pure function of its parameters and a batch: a Flax NNX module, a Linen one, or a function."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import nnx
from jaxtyping import PRNGKeyArray

KEY_NAMES = ("key", "rng", "rngs")
"""Names of a parameter by which a model asks for a random key."""

Function = Callable[[Any, Any], Any]


def as_function(model: Any, key: PRNGKeyArray) -> tuple[Function, Any]:
    """A pure `function(parameters, batch)` that does what the model does, and the parameters.

    The model stays as it is: an NNX module is copied before it is called, what a Linen one writes is dropped.

    Args:
        model: An NNX module; a pair of a Linen module and its variables; or a pair `(apply, parameters)` with
            `apply(parameters, batch)`.
        key: Given by name to a model that asks for one: see `KEY_NAMES`; to a Linen module also for its dropout.

    Raises:
        ValueError: If it is none of these.
    """
    if isinstance(model, nnx.Module):
        return _nnx(model, key)
    if isinstance(model, tuple) and len(model) == 2:
        apply, parameters = model
        if callable(getattr(apply, "apply", None)) and isinstance(parameters, Mapping):
            return _linen(apply, parameters, key)
        if callable(apply):
            names = _asked(apply, key)
            return (lambda parameters, batch: apply(parameters, batch, **names)), parameters
    shown = f"a tuple of {len(model)}" if isinstance(model, tuple) else f"a {type(model).__name__}"
    raise ValueError(
        f"a model must be a Flax NNX module, a pair (Linen module, variables) or a pair (apply function, parameters), "
        f"got {shown}"
    )


def _nnx(model: nnx.Module, key: PRNGKeyArray) -> tuple[Function, Any]:
    if not callable(model):
        raise ValueError(f"an NNX module must have a __call__ to be diagnosed, {type(model).__name__} has none")
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)

    def function(parameters: Any, batch: Any) -> Any:
        # A copy: merged without, the call would write statistics and key counts into the model itself.
        own: Any = nnx.merge(graph, parameters, rest, copy=True)
        return own(batch, **_asked(own, key))

    return function, nnx.as_pure(parameters)


def _linen(module: Any, variables: Mapping[str, Any], key: PRNGKeyArray) -> tuple[Function, Any]:
    rest = {name: collection for name, collection in variables.items() if name != "params"}
    names = _asked(type(module).__call__, key)

    def function(parameters: Any, batch: Any) -> Any:
        # Linen takes the key of params for every stream that has none of its own.
        all_variables = {"params": parameters, **rest}
        return module.apply(all_variables, batch, rngs={"params": key}, mutable=list(rest) or ["nothing"], **names)[0]

    return function, variables.get("params", {})


def _asked(call: Callable[..., Any], key: PRNGKeyArray) -> dict[str, Any]:
    """The key, under the name by which a function must be given one; one that it does without is not given."""
    parameters = inspect.signature(call).parameters.values()
    needed = [p.name for p in parameters if p.name in KEY_NAMES and p.default is inspect.Parameter.empty]
    return {name: nnx.Rngs(key) if name == "rngs" else jax.random.clone(key) for name in needed}
