"""A few steps of one arm at small sizes: alone or mapped, in single or in double precision."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp

from bench.planning.applicability import slots_drawn_from
from bench.planning.job import Job
from bench.planning.protocol import Protocol
from bench.results.stored.records import PlannedCell
from bench.training.arm_trainer import ArmTrainer, draw
from bench.training.lanes import STATE_AXES, over_lanes
from bench.training.precision import computing
from bench.training.programs import Program, anew, program
from vae_jax.recipe.keys import random_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.train import Data, Numbers, TrainState, chosen

# Two chunks of two steps, each of them recorded.
PROTOCOL = Protocol(steps=4, seeds=1, record_every=1, validate_every=2, draws=1)


@dataclass(frozen=True)
class Trained:
    """The state and the readings of a trial.

    Attributes:
        began: The state before the first step.
        state: The state after the last.
        evaluated: The parameters that the recipe would be evaluated at then.
        readings: The readings of each instrument, with an axis of steps in front.
    """

    began: TrainState
    state: TrainState
    evaluated: Any
    readings: dict[str, Any]


class Trial:
    """An arm on its workload, with programs that compile in seconds.

    Lanes begin where single trainings begin: their models are drawn one by one, by a program that all recipes share
    whose models are drawn alike.
    """

    def __init__(
        self, workload: str, arm: str, plateau: float, plugins: tuple[str, ...], lanes: int = 1, double: bool = False
    ):
        """Prepare a trial.

        Args:
            workload: The workload's text.
            arm: The arm's text.
            plateau: The score of an arm that has learnt nothing.
            plugins: Files and folders that the arm needs.
            lanes: Trainings side by side.
            double: Whether to train in float64, from the same draws.
        """
        trained = ArmTrainer(Job(PlannedCell(workload, arm, "", "", "", 0), PROTOCOL, plateau, plateau, plugins))
        # As many steps as the base that it is compared with, however many gradients each of them takes.
        self._lanes = lanes
        self._arm = trained.varied(lanes, "float64" if double else trained.recipe.dtype, PROTOCOL.steps)

    @property
    def recipe(self) -> Recipe:
        """The arm's recipe."""
        return self._arm.recipe

    @property
    def parameters(self) -> int:
        """How many numbers one training trains."""
        return sum(leaf.size for leaf in jax.tree.leaves(self._state.parameters)) // self._lanes

    def train(self, seeds: list[int], learning_rate: float) -> Trained:
        """Train from each seed, as many as there are lanes.

        Args:
            seeds: One for each lane.
            learning_rate: The rate of all.
        """
        with self._arm.computing():
            numbers = self._arm.numbers([learning_rate] * self._lanes, stop=PROTOCOL.steps)
            began, keys = self._begin(seeds, numbers[0])
            state, readings = began, []
            for chunk in numbers[:-1]:
                given = self._arm.chunk_program(PROTOCOL.validate_every).quick(keys, state.step, self._arm.data)
                state, read = self.steps.quick(state, keys, chunk, given)
                readings.append(read)
            joined = {} if self._lanes > 1 else jax.tree.map(lambda *parts: jnp.concatenate(parts), *readings)
            evaluated = over_lanes(chosen, (None, STATE_AXES, None), 0, self._lanes)
            now = evaluated(self.recipe.traced(), state, jnp.asarray(False))
        return Trained(began, state, now, joined)

    @cached_property
    def steps(self) -> Program:
        """The compiled chunk of steps; instruments look at a single training."""
        return self._steps()

    def retraced(self) -> Program:
        """The same, traced and lowered once more."""
        with anew():
            return self._steps()

    def _steps(self) -> Program:
        instruments = self._arm.instruments if self._lanes == 1 else ()
        with self._arm.computing():
            return self._arm.train_program(self._state, PROTOCOL.validate_every, PROTOCOL.record_every, instruments)

    @cached_property
    def _state(self) -> TrainState:
        with self._arm.computing():
            numbers = self._arm.numbers([1.0] * self._lanes, stop=PROTOCOL.steps)
            return self._begin([0] * self._lanes, numbers[0])[0]

    def _begin(self, seeds: list[int], numbers: Numbers) -> tuple[TrainState, jax.Array]:
        keys = [random_key(seed) for seed in seeds]
        drawn = [self._draw_one(key) for key in keys]
        if self._lanes == 1:
            return self._arm.first_state(numbers, *drawn[0]), keys[0]
        stack = partial(jax.tree.map, lambda *leaves: jnp.stack(leaves))
        return self._arm.first_state(numbers, *stack(*drawn)), stack(*keys)

    def _draw_one(self, key: jax.Array) -> Any:
        arguments = (key, *self._drawing)
        architecture = self._arm.workload.architecture
        with computing("float32"):
            return program(
                partial(draw, architecture=architecture), arguments, name="draw", architecture=architecture
            ).quick(*arguments)

    @cached_property
    def _drawing(self) -> tuple[Recipe, Data]:
        """The recipe with the defaults in all slots that drawing a model does not read, and the data to draw from."""
        dataset = self._arm.workload.data()
        reads = slots_drawn_from(self.recipe, self._arm.workload.architecture, dataset)
        plain = {name: getattr(Recipe(), name) for name in Recipe.slots() if name not in reads}
        with computing("float32"):
            return replace(self.recipe, **plain), jax.tree.map(jnp.asarray, Data(dataset.train, dataset.mean))
