"""How long cells may take before one of them has run, and how much their models take."""

import math
from collections.abc import Collection

import jax
from flax import nnx

from bench.planning.protocol import Protocol
from bench.plugins.workload import Workload
from bench.results.stored.records import PlannedCell
from vae_jax.models.contract import Architecture
from vae_jax.models.equal_size import comparable
from vae_jax.recipe.keys import random_key
from vae_jax.recipe.recipe import Recipe

# First readings on two cores, for the minutes to expect.
_COMPILE_SECONDS = 6.0
# To compose a cell, evaluate its trainings, estimate, explain and store it, however few its steps.
_CELL_SECONDS = 1.5
_SECONDS_PER_STEP_AND_WEIGHT = 1e-3 / (18 * 64 * 64)
# What a layer costs that is one step of a scan, over one that is written out: as many small operations, and a loop.
_SCANNED = 5.0


def expected_seconds(cells: Collection[PlannedCell], workload: Workload, protocol: Protocol) -> float:
    """How long training some cells of a workload may take one core, by first readings of this shape of network."""
    # As if each layer were as wide as the one before it, at every position of a patch, and of an image.
    products = sum(
        run.layers * (_SCANNED if run.scanned else 1) * math.prod(run.shape) * run.patch * run.shape[-1]
        for runs in workload.architecture.stacks.values()
        for run in runs
    )
    weights = products * workload.batch / 128
    training = protocol.trainings * protocol.steps * weights * _SECONDS_PER_STEP_AND_WEIGHT
    return len(cells) * (training + _CELL_SECONDS) + len({cell.program for cell in cells}) * _COMPILE_SECONDS


def model_bytes(recipe: Recipe, architecture: Architecture) -> int:
    """How much all numbers of an arm's model take, before one is drawn.

    Args:
        recipe: The arm's.
        architecture: Its workload's.
    """
    own = comparable(architecture, recipe)
    mean = jax.ShapeDtypeStruct(architecture.mean_shape, "float32")
    model = nnx.eval_shape(lambda mean: own.draw(recipe, random_key(0), mean), mean)
    leaves = [*jax.tree.leaves(nnx.as_pure(nnx.split(model)[1])), mean]
    return sum(leaf.size for leaf in leaves) * jax.numpy.dtype(recipe.dtype).itemsize
