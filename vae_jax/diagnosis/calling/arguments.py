"""What a person's function is given: the batch by the names of its arguments, a key, the flags of a training pass."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import nnx
from jaxtyping import PRNGKeyArray

KEY_NAMES = ("key", "rng", "rngs")
"""Names of an argument that is given a random key even where the function can do without."""

FLAGS = {"train": True, "training": True, "is_training": True, "deterministic": False}
"""What an argument of this name is given: the pass that is diagnosed is one of training."""

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Arguments:
    """How a function is called with a batch.

    Args:
        function: The person's.
        batch: An array or a tree; of a mapping each entry is given to the argument of its name, where there is one.
        key: For every argument that nothing else is known of.
        taken: How many of the first arguments are given by whoever calls.

    Attributes:
        said: What was given to arguments that nobody named, a sentence each.
    """

    def __init__(self, function: Callable[..., Any], batch: Any, key: PRNGKeyArray, taken: int = 0):
        self._function, self._key = function, key
        asked = list(inspect.signature(function).parameters.values())[taken:]
        plain = [each for each in asked if each.kind not in _VARIADIC]
        named = isinstance(batch, Mapping) and any(each.name in batch for each in plain)
        self._of_batch = {each.name: each.name for each in plain if named and each.name in batch}
        self._whole = ""
        self._flags: dict[str, bool] = {}
        self._keys: list[str] = []
        self._by_name = {each.name for each in plain if each.kind is inspect.Parameter.KEYWORD_ONLY}
        self._order = [each.name for each in plain if each.kind is not inspect.Parameter.KEYWORD_ONLY]
        needed = inspect.Parameter.empty
        for each in plain:
            if each.name in self._of_batch:
                continue
            if each.name in FLAGS:
                self._flags[each.name] = FLAGS[each.name]
            elif not named and not self._whole and each.name not in KEY_NAMES and each.default is needed:
                self._whole = each.name
            elif each.default is needed:
                self._keys.append(each.name)
        self._star = not named and not self._whole and any(each.kind is _VARIADIC[0] for each in asked)
        name = getattr(function, "__qualname__", getattr(function, "__name__", "the model")).removesuffix(".__call__")
        self.said = (
            *(f"{name} asks for {flag!r}: it was given {value}" for flag, value in self._flags.items()),
            *(
                f"{name} asks for {key!r}, which the batch does not hold: it was given a random key"
                for key in self._keys
            ),
        )

    def call(self, *first: Any, batch: Any) -> Any:
        """The function of what its first arguments are and a batch like the one it was made for."""
        given: dict[str, Any] = {name: batch[entry] for name, entry in self._of_batch.items()}
        given |= self._flags
        given |= {name: nnx.Rngs(self._key) if name == "rngs" else jax.random.clone(self._key) for name in self._keys}
        if self._whole:
            given[self._whole] = batch
        if self._star:
            return self._function(*first, batch, **given)
        # By place as far as possible: a wrapper may have other names than what it wraps.
        places: list[Any] = []
        for name in self._order:
            if name not in given:
                break
            places.append(given.pop(name))
        return self._function(*first, *places, **given)
