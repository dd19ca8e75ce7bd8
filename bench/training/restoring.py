"""A saved model made anew: composed of what is installed, as its arm is called, and given the numbers that were kept.

Of a saved file nothing is run, and nothing that it names is loaded: what it says is compared with what is here.
"""

import json
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from flax import nnx

from bench.language.arms import parse_arms
from bench.language.errors import InputError
from bench.planning.catalogue import Catalogue
from bench.planning.compose import build_workload, compose
from bench.planning.identity import own_code
from bench.planning.loaded_workload import load_workload
from bench.plugins.remedy import NotApplicable
from bench.plugins.workload import Workload
from bench.results.arm_record import arm_record
from bench.results.results import Row
from bench.results.stored.records import PlannedCell
from bench.results.stored.saved_model import TENSORS, ModelRecord, has_model, unpack
from bench.results.stored.store import Store, UnreadableError
from bench.training.precision import cast, computing
from bench.training.trained_model import TrainedModel
from vae_jax.evaluation.coding import Trained, from_paths, paths
from vae_jax.models.batch import Rows
from vae_jax.models.contract import Architecture
from vae_jax.models.equal_size import comparable
from vae_jax.recipe.keys import random_key
from vae_jax.recipe.recipe import Recipe

_ANEW = "use the version that saved it, or give the run's command again with --save into another folder"


def restore(store: Store, arm: str, catalogue: Catalogue) -> tuple[TrainedModel, ModelRecord]:
    """The model of an arm of a run, and what was kept of it in words.

    Args:
        store: The run's.
        arm: As its table names it, its remedies in any order.
        catalogue: What is installed.

    Raises:
        InputError: If none is saved, it cannot be read, or is of something else than the arm is now.
    """
    row = arm_record(store, arm).row
    try:
        saved = store.load_model(row.cell.identity, (TENSORS,))
        arrays = unpack(saved.files[TENSORS])
    except FileNotFoundError:
        raise _missing(store, row) from None
    except UnreadableError as error:
        raise InputError(f"in {store.directory}, {error}: {_ANEW}") from error
    except ValueError as error:
        raise InputError(f"in {store.directory}, models/{row.cell.identity}.{TENSORS}: {error}: {_ANEW}") from error
    record = saved.record
    file = f"models/{row.cell.identity}.json of {store.directory}"
    try:
        _, workload = build_workload(catalogue, row.cell.workload)
        (parsed,) = parse_arms(row.cell.arm, tuple(workload.bases), catalogue.remedies)
        recipe = compose(catalogue, workload, parsed)
    except (InputError, NotApplicable) as error:
        cure = f"; it was trained with {' and '.join(record.plugins)}: give --plugin FILE" if record.plugins else ""
        raise InputError(f"arm {row.cell.arm!r} cannot be composed of what is installed: {error}{cure}") from error
    architecture = comparable(workload.architecture, recipe)
    _require_same_meaning(file, record, row.cell, recipe, workload)
    if own_code(recipe, architecture).digest() != record.own_code:
        raise InputError(
            f"code of your own that arm {row.cell.arm!r} is made of is not what it was when its model was saved: give "
            f"the files as they were with --plugin ({', '.join(record.plugins)}), or train it anew"
        )
    numbers = _numbers(file, arrays, recipe, architecture)
    return TrainedModel(row.cell.arm, replace(workload, architecture=architecture), recipe, numbers), record


def held_out(catalogue: Catalogue, record: ModelRecord) -> Rows:
    """The held-out examples that a model was judged by.

    Raises:
        InputError: If its workload loads others now.
    """
    loaded = load_workload(catalogue, record.workload)
    if loaded.digest != record.data:
        raise InputError(
            f"the data of {record.workload} are not those that the model was trained on: name a file of examples with "
            "--data"
        )
    return loaded.dataset.test


def _missing(store: Store, row: Row) -> InputError:
    training = row.trainings[0] if row.trainings else None
    if row.stored and not has_model(row.record):
        at = f", at step {training.diverged_at}" if training else ""
        return InputError(
            f"arm {row.cell.arm!r} of {store.directory} diverged{at}: of such a training no model is kept"
        )
    return InputError(
        f"{store.directory} holds no model of arm {row.cell.arm!r}: give its run's command again with --save, as "
        f"{row.results.plan.command} --save"
    )


def _require_same_meaning(
    file: str, record: ModelRecord, cell: PlannedCell, recipe: Recipe, workload: Workload
) -> None:
    """Raise unless an arm is now what it was; a slot that it had not then does nothing now."""
    model, described = workload.architecture, json.loads(json.dumps(recipe.describe()))
    now = {slot: described.get(slot) for slot in record.recipe}
    then = dict(record.recipe)
    now |= {"likelihood": repr(model.likelihood), "presentation": repr(model.present)}
    then |= {"likelihood": record.likelihood, "presentation": record.presentation}
    now["medium"], then["medium"] = workload.medium.describe() if workload.medium else {}, record.medium
    _require_same_medium(file, record.arm, now["medium"], then["medium"])
    for name in now:
        if now[name] != then[name]:
            raise InputError(
                f"{file} holds the model of arm {record.arm!r} on {record.workload!r}, whose {name} is "
                f"{then[name]!r:.80}, and arm {cell.arm!r} on {cell.workload!r} has {now[name]!r:.80}: {_ANEW}"
            )


def _require_same_medium(file: str, arm: str, now: dict[str, Any], then: dict[str, Any]) -> None:
    other = [key for key in then if now.get(key) != then[key]]
    if other and now.get("kind") == then.get("kind"):
        raise InputError(
            f"{file} holds the model of arm {arm!r} for examples of other {' and '.join(other)} than its workload has "
            "now: give it the data that it was trained on, as they were, or train it anew"
        )


def _numbers(file: str, arrays: dict[str, np.ndarray], recipe: Recipe, architecture: Architecture) -> Trained:
    """The arrays as a model has them.

    Raises:
        InputError: If they are not those of such a model.
    """
    wanted = _shapes(recipe, architecture)
    expected = {name: (leaf.shape, str(leaf.dtype)) for name, leaf in paths(wanted).items()}
    found = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise InputError(
                f"{file.replace('.json', f'.{TENSORS}', 1)} has {_words(found.get(name))} as {name}, where the arm has "
                f"{_words(expected.get(name))}: {_ANEW}"
            )
    return from_paths(arrays, wanted)


def _words(array: tuple[tuple[int, ...], str] | None) -> str:
    return "nothing" if array is None else f"{array[1]} of shape {' x '.join(map(str, array[0])) or '()'}"


def _shapes(recipe: Recipe, architecture: Architecture) -> Trained:
    """What the numbers of an arm's model are like."""

    def draw(mean: jax.Array) -> Trained:
        _, parameters, statistics = nnx.split(architecture.draw(recipe, random_key(0), mean), nnx.Param, ...)
        return cast(Trained(nnx.as_pure(parameters), nnx.as_pure(statistics), mean), recipe.dtype)

    with computing(recipe.dtype):
        return jax.eval_shape(draw, jax.ShapeDtypeStruct(architecture.mean_shape, "float32"))
