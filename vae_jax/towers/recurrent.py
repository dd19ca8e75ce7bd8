"""A recurrent tower: one cell over a sequence, and a linear head, with a tap after each step."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from vae_jax.layers.dense import Dense
from vae_jax.recipe.configured import made_by
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.hidden import Hidden, Run, Taps, watched
from vae_jax.towers.state_passing import State


@dataclass(frozen=True)
class Recurrent:
    """A kind of tower that reads its inputs as a sequence, see `Architecture.encoder`.

    Attributes:
        length: Steps of a sequence.
    """

    length: int

    def __post_init__(self):
        if self.length < 2:
            raise ValueError(f"length must be at least 2, got {self.length}: in one step nothing is carried")

    @staticmethod
    def require(recipe: Recipe) -> None:
        """Raise unless a recipe's unit can activate what a cell sums up.

        Raises:
            ValueError: If it does not act on a sum entry by entry.
        """
        unit = made_by(recipe.unit)
        if not unit.elementwise:
            raise ValueError(
                f"a recurrent cell activates the sum W x + U h entry by entry, which a {unit.__name__} cannot: "
                "choose an activation for it instead"
            )

    def runs(self, depth: int, width: int) -> tuple[Run, ...]:
        """A hidden layer to each step, however deep other towers are."""
        return (Run(self.length, (width,), scanned=True),)

    def scaled(self, factor: float) -> "Recurrent":
        """Itself: its width is given when it is drawn."""
        return self

    @staticmethod
    def kernels(tower: Any) -> list[Any]:
        """The matrices in a tree like a tower's parameters: every gate's two, and the head's."""
        gates = tower["cell"]["gates"].values()
        own = [matrix for gate in gates for matrix in (gate["unit"]["dense"]["kernel"], gate["recurrent"])]
        return [*own, tower["head"]["kernel"]]

    def __call__(
        self, inputs: int, outputs: int, depth: int, width: int, recipe: Recipe, key: PRNGKeyArray, context: int = 0
    ) -> "RecurrentTower":
        """Draw a tower.

        Raises:
            ValueError: If the inputs make no sequence of that length, or it is to see a context.
        """
        if inputs % self.length:
            raise ValueError(f"inputs must be a multiple of the length {self.length}, got {inputs}: steps are alike")
        if context:
            raise ValueError(f"a recurrent tower sees no context, got one of {context} entries")
        return RecurrentTower(inputs // self.length, outputs, self.length, width, recipe, key)


class RecurrentTower(nnx.Module):
    """(x_1, ... x_T) -> a cell, T times -> outputs.

    Hidden layer t is the state h after step t + 1.
    """

    def __init__(self, inputs: int, outputs: int, length: int, width: int, recipe: Recipe, key: PRNGKeyArray):
        """Draw a tower.

        Args:
            inputs: Size of a step's input.
            outputs: Size of the head.
            length: T, the steps of a sequence.
            width: Units of the state.
            recipe: Which cell, and how it is drawn and read.
            key: Every part's key comes from it by the part's name.
        """
        self.length, self.width = length, width
        self.cell = recipe.cell(inputs, width, length, recipe, named_key(key, "cell"))
        self.head = Dense(width, outputs, recipe, named_key(key, "head"), role="head")

    def __call__(
        self, x: Float[Array, "batch data"], run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], list[Float[Array, "batch width"]]]:
        """The head's output, and the state after every step.

        Args:
            x: Sequences, each flattened step by step.
            run: The pass.
        """
        drive, matrix, start = self._given(x, run)

        def step(state: State, given: tuple[Int[Array, ""], Array]) -> tuple[State, Array]:
            state = self._step(state, *given, matrix, run)
            return state, state[0]

        _, hidden = jax.lax.scan(step, start, (jnp.arange(self.length), drive))
        return self._read(hidden, run), list(hidden)

    def observed(
        self, x: Float[Array, "batch data"], taps: Taps, run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], tuple[Hidden]]:
        """The head's output, and what every step looks like: the same pass, to be looked into.

        Args:
            x: Sequences, each flattened step by step.
            taps: Zeros, added to the states: the loss's gradient with respect to them is dL/dh, step by step.
            run: The pass.
        """
        drive, matrix, start = self._given(x, run)
        (states_taps,) = taps

        def step(state: State, given: tuple[Int[Array, ""], Array, Array]) -> tuple[State, Hidden]:
            index, sums, tap = given
            slopes: list[Array] = []
            h, *memory = self._step(state, index, sums, matrix, watched(run, slopes))
            return (h + tap, *memory), Hidden(h + tap, jnp.mean(jnp.stack(slopes), axis=0))

        _, hidden = jax.lax.scan(step, start, (jnp.arange(self.length), drive, states_taps))
        return self._read(hidden.output, run), (hidden,)

    def _given(
        self, x: Float[Array, "batch data"], run: ForwardPass
    ) -> tuple[Float[Array, "length batch columns"], Float[Array, "width columns"], State]:
        """All that the steps are given: their inputs' sums, the cell's matrix, and the state before the first."""
        batch = len(x)
        steps = x.reshape(batch, self.length, -1).swapaxes(0, 1)
        drive = self.cell.drive(steps.reshape(self.length * batch, -1), run)
        start = tuple(jnp.zeros((batch, self.width), x.dtype) for _ in range(self.cell.states))
        return drive.reshape(self.length, batch, -1), self.cell.matrix(), start

    def _step(self, state: State, index: Int[Array, ""], drive: Array, matrix: Array, run: ForwardPass) -> State:
        run = run._replace(key=None if run.key is None else jax.random.fold_in(run.key, index), adjust=None)
        before = run.recipe.carry(state, self.length - index)
        return run.recipe.zoneout(before, self.cell(drive, before, matrix, run), run.key)

    def _read(self, hidden: Float[Array, "length batch width"], run: ForwardPass) -> Float[Array, "batch outputs"]:
        return self.head(run.recipe.readout(hidden), run.within("head"))
