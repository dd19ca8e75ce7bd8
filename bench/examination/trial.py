"""A few steps of one arm at small sizes: alone or mapped, in single or in double precision."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp

from bench.planning.applicability import slots_drawn_from
from bench.planning.plan import Cell, Job
from bench.planning.protocol import Protocol
from bench.training.arm_trainer import STATE_AXES, Bench, draw, over_lanes
from bench.training.precision import cast, computing
from bench.training.programs import Program, anew, program
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.train import Numbers, TrainState, chosen

# Two chunks of two steps, each of them recorded.
PROTOCOL = Protocol(steps=4, seeds=1, record_every=1, validate_every=2, draws=1)


@dataclass(frozen=True)
class Trained:
    """What a trial came to.

    Attributes:
        began: The state before the first step.
        state: The state after the last.
        evaluated: The parameters that the recipe would be evaluated at then.
        readings: What the instruments read, each with an axis of steps in front.
    """

    began: TrainState
    state: TrainState
    evaluated: Any
    readings: dict[str, Any]


class Trial(Bench):
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
            plateau: What a dead arm sits at, in nats.
            plugins: Files and folders that the arm needs.
            lanes: Trainings side by side.
            double: Whether to train in float64, from the same draws.
        """
        super().__init__(Job(Cell(workload, arm, "", "", "", 0), PROTOCOL, plateau, plugins))
        self.lanes = lanes
        if double:
            self.recipe = replace(self.recipe, dtype="float64")
            with self.computing():
                self.data = cast(self.data, "float64")

    def train(self, seeds: list[int], learning_rate: float) -> Trained:
        """Train from each seed, as many as there are lanes.

        Args:
            seeds: One for each lane.
            learning_rate: The rate of all.
        """
        with self.computing():
            numbers = self._numbers([learning_rate] * self.lanes, stop=PROTOCOL.steps)
            began, keys = self._begin(seeds, numbers[0])
            state, readings = began, []
            for chunk in numbers[:-1]:
                state, read = self.steps.quick(state, keys, chunk, self.data)
                readings.append(read)
            joined = {} if self.lanes > 1 else jax.tree.map(lambda *parts: jnp.concatenate(parts), *readings)
            evaluated = over_lanes(chosen, (None, STATE_AXES, None), 0, self.lanes)
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
        instruments = self.instruments if self.lanes == 1 else ()
        with self.computing():
            return self._train_program(PROTOCOL.validate_every, PROTOCOL.record_every, instruments)

    @cached_property
    def _state(self) -> TrainState:
        with self.computing():
            numbers = self._numbers([1.0] * self.lanes, stop=PROTOCOL.steps)
            return self._begin([PROTOCOL.tuning_seed] * self.lanes, numbers[0])[0]

    def _begin(self, seeds: list[int], numbers: Numbers) -> tuple[TrainState, jax.Array]:
        keys = [jax.random.key(seed) for seed in seeds]
        drawn = [self._draw_one(key) for key in keys]
        if self.lanes == 1:
            return self._start(numbers, *drawn[0]), keys[0]
        stack = partial(jax.tree.map, lambda *leaves: jnp.stack(leaves))
        return self._start(numbers, *stack(*drawn)), stack(*keys)

    def _draw_one(self, key: jax.Array) -> Any:
        arguments = (key, self._drawing, self._drawn_from)
        architecture = self.workload.architecture
        with computing("float32"):
            return program(
                partial(draw, architecture=architecture), arguments, name="draw", architecture=architecture
            ).quick(*arguments)

    @cached_property
    def _drawing(self) -> Recipe:
        """The recipe with the defaults in all slots that drawing a model does not read."""
        reads = slots_drawn_from(self.recipe, self.workload.architecture, self.workload.data())
        return replace(self.recipe, **{name: getattr(Recipe(), name) for name in Recipe.slots() if name not in reads})
