"""Which slots of a recipe a training reads: found by tracing one, never declared, and without a backend."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.data.dataset import Dataset
from vae_jax.evaluation.evaluate import Evaluation, validate
from vae_jax.models.contract import Architecture
from vae_jax.models.vae import VAEArchitecture
from vae_jax.recipe.keys import named_key, random_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.instruments import Instrument
from vae_jax.training.train import Data, Loop, Numbers, draw_chunk, init, schedules, start, train

# Slots that decide on the host how an arm is trained: no trace meets them.
_ON_THE_HOST = {"learning_rate", "dtype"}

# What is read does not depend on how many examples a step has.
_LOOP = Loop(batch=2, chunk=1, record_every=1, instruments=())


_known: dict[Any, frozenset[str]] = {}


class _Reads(set[str]):
    """The names of the slots that were read; equal to itself alone, since it is part of a pytree's structure."""

    __hash__ = object.__hash__  # type: ignore
    __eq__ = object.__eq__


@jax.tree_util.register_pytree_node_class
class _Recorded(Recipe):
    """A recipe that notes which of its slots are looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name in Recipe.__dataclass_fields__:
            object.__getattribute__(self, "__dict__")["reads"].add(name)
        return object.__getattribute__(self, name)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        slots = dict(self.__dict__)
        reads = slots.pop("reads")
        plain = object.__new__(Recipe)
        plain.__dict__.update(slots)
        leaves, structure = plain.tree_flatten()
        return leaves, (structure, reads)

    @classmethod
    def tree_unflatten(cls, structure: tuple[Any, ...], leaves: tuple[Any, ...]) -> "_Recorded":
        return _recorded(Recipe.tree_unflatten(structure[0], leaves), structure[1])


def slots_drawn_from(recipe: Recipe, architecture: Architecture, dataset: Dataset) -> frozenset[str]:
    """The slots that the initial weights are drawn from.

    Args:
        recipe: Where to look; which slots are read may depend on what other slots hold, on their numbers never.
        architecture: The model's sizes.
        dataset: For its shapes.
    """
    reads = _Reads()
    recorded = _recorded(recipe, reads)
    shapes = (_key(), _shape(dataset.train), _shape(dataset.mean))
    jax.eval_shape(lambda key, *data: init(key, recorded, architecture, Data(*data)), *shapes)
    return frozenset(reads)


def slots_read(recipe: Recipe, architecture: Architecture, dataset: Dataset) -> frozenset[str]:
    """The slots that a training and its evaluation read, from the drawing of the model to its last figure.

    Where none of the slots that a remedy changes is read under a recipe, the changed recipe takes the same path to the
    same figures: the remedy does not apply to it. Arguments are those of `slots_drawn_from`.
    """
    # Functions compare by what they are, so that one process traces each structure once.
    asked = (jax.tree.structure(recipe), architecture, str(_shape(dataset.train)))
    if asked not in _known:
        _known[asked] = _trace(recipe, architecture, dataset)
    return _known[asked]


def try_instrument(instrument: Instrument) -> None:
    """Trace a small training that it looks at.

    Raises:
        ValueError: If it raises there, or what it gives is no reading.
    """
    nothing = np.zeros((2, 4), np.float32)
    _trace(Recipe(), VAEArchitecture(4, depth=2, width=3, latent=2), Dataset(nothing, nothing, nothing), (instrument,))


def _trace(
    recipe: Recipe, architecture: Architecture, dataset: Dataset, instruments: tuple[Instrument, ...] = ()
) -> frozenset[str]:
    reads = _Reads(_ON_THE_HOST)
    recorded = _recorded(recipe, reads)

    def training(key: jax.Array, examples: Any, mean: jax.Array) -> Any:
        data = Data(examples, mean)
        drawn = init(named_key(key, "init"), recorded, architecture, data)
        rates, weights = schedules(recorded, 1.0, 1, 1)
        numbers = Numbers(recorded, rates[0], weights[0], jnp.asarray(1))
        state = start(numbers, *drawn)
        chunk = draw_chunk(key, state.step, data, architecture=architecture, batch=_LOOP.batch, chunk=_LOOP.chunk)
        state, _ = train(
            state, key, numbers, chunk, architecture=architecture, loop=replace(_LOOP, instruments=instruments)
        )
        evaluation = Evaluation(key, recorded, data, examples)
        return validate(state, jnp.asarray(True), evaluation, architecture=architecture, draws=1)

    jax.eval_shape(training, _key(), _shape(dataset.train), _shape(dataset.mean))
    # Looked up, and of no effect where there is no KL term.
    return frozenset(reads - (set() if architecture.before_z else {"kl_schedules", "kl_treatment"}))


def _recorded(recipe: Recipe, reads: _Reads) -> _Recorded:
    recorded = object.__new__(_Recorded)
    recorded.__dict__.update(recipe.__dict__, reads=reads)
    return recorded


def _key() -> Any:
    return jax.eval_shape(lambda: random_key(0))


def _shape(rows: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), rows)
