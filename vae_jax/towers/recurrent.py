"""A recurrent layer: one cell over a sequence, with a tap after each step; and a tower of one, with a linear head."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

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
        return [*cell_kernels(tower), tower["head"]["kernel"]]

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


class _Given(NamedTuple):
    """All that the steps are given, with an axis of steps in front.

    Attributes:
        place: Of the step, from 0.
        drive: The sums over its input.
        real: Whether it is there, for each sequence; None where all steps are.
        remaining: How many are to come of each sequence, with this one; None likewise.
    """

    place: Int[Array, "..."]
    drive: Float[Array, "... batch columns"]
    real: Bool[Array, "... batch 1"] | None = None
    remaining: Int[Array, "... batch 1"] | None = None


class Recurrence(nnx.Module):
    """(x_1, ... x_T) -> a cell, T times -> (h_1, ... h_T).

    Hidden layer t is the state h after step t + 1; a sequence that has ended before keeps the state that it ended with.
    """

    def __init__(self, inputs: int, length: int, width: int, recipe: Recipe, key: PRNGKeyArray):
        """Draw a layer.

        Args:
            inputs: Size of a step's input.
            length: T, the steps of a sequence.
            width: Units of the state.
            recipe: Which cell, and how it is drawn.
            key: Of its draws.
        """
        self.length, self.width = length, width
        self.cell = recipe.cell(inputs, width, length, recipe, named_key(key, "cell"))

    def through(
        self,
        steps: Float[Array, "length batch inputs"],
        run: ForwardPass,
        start: State | None = None,
        mask: Bool[Array, "length batch"] | None = None,
    ) -> Float[Array, "length batch width"]:
        """The state after every step.

        Args:
            steps: Sequences.
            run: The pass.
            start: The state before the first step; by default zeros.
            mask: Which steps of which sequence are there, from the first on; None where all are.
        """
        given, matrix, start = self._given(steps, run, start, mask)

        def step(state: State, given: _Given) -> tuple[State, Array]:
            state = self._step(state, given, matrix, run)
            return state, state[0]

        return jax.lax.scan(step, start, given)[1]

    def watched_through(
        self,
        steps: Float[Array, "length batch inputs"],
        taps: Float[Array, "length batch width"],
        run: ForwardPass,
        start: State | None = None,
        mask: Bool[Array, "length batch"] | None = None,
    ) -> Hidden:
        """What every step looks like: the same pass, to be looked into.

        Args:
            steps: Sequences.
            taps: Zeros, added to the states: the loss's gradient with respect to them is dL/dh, step by step.
            run: The pass.
            start: As for `through`, here and below.
            mask: Which steps are there.
        """
        given, matrix, start = self._given(steps, run, start, mask)

        def step(carried: tuple[State, Array | None], inputs: tuple[_Given, Array]) -> tuple[Any, Hidden]:
            (state, slope), (given, tap), slopes = carried, inputs, []
            h, *memory = self._step(state, given, matrix, watched(run, slopes))
            own = jnp.mean(jnp.stack(slopes), axis=0)
            held = None if slope is None or given.real is None else jnp.where(given.real, own, slope)
            return ((h + tap, *memory), held), Hidden(h + tap, own if held is None else held)

        carried = (start, None if mask is None else jnp.zeros_like(start[0]))
        return jax.lax.scan(step, carried, (given, taps))[1]

    def first(self, batch: int, dtype: DTypeLike) -> State:
        """Zeros: the state before the first step where nothing else is said."""
        return tuple(jnp.zeros((batch, self.width), dtype) for _ in range(self.cell.states))

    def advance(self, x: Float[Array, "batch inputs"], state: State, run: ForwardPass) -> State:
        """The state one step on, in evaluation: for sequences that are made step by step."""
        return self._step(state, _Given(jnp.zeros((), jnp.int32), self.cell.drive(x, run)), self.cell.matrix(), run)

    def _given(
        self, steps: Float[Array, "length batch inputs"], run: ForwardPass, start: State | None, mask: Array | None
    ) -> tuple[_Given, Float[Array, "width columns"], State]:
        """All that the steps are given, the cell's matrix, and the state before the first."""
        batch = steps.shape[1]
        drive = self.cell.drive(steps.reshape(self.length * batch, -1), run)
        start = self.first(batch, steps.dtype) if start is None else start
        drive, matrix = drive.reshape(self.length, batch, -1), self.cell.matrix()
        given = _Given(jnp.arange(self.length), drive)
        if mask is not None:
            remaining = jnp.cumsum(mask[::-1], axis=0, dtype=jnp.int32)[::-1]
            given = given._replace(real=mask[..., None], remaining=remaining[..., None])
        return given, matrix, start

    def _step(self, state: State, given: _Given, matrix: Array, run: ForwardPass) -> State:
        place = given.place
        run = run._replace(key=None if run.key is None else jax.random.fold_in(run.key, place), adjust=None)
        before = run.recipe.carry(state, self.length - place if given.remaining is None else given.remaining)
        after = run.recipe.zoneout(before, self.cell(given.drive, before, matrix, run), run.key)
        if given.real is None:
            return after
        return tuple(jnp.where(given.real, new, old) for new, old in zip(after, state, strict=True))


class RecurrentTower(Recurrence):
    """(x_1, ... x_T) -> a cell, T times -> outputs: a recurrent layer and a linear head."""

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
        super().__init__(inputs, length, width, recipe, key)
        self.head = Dense(width, outputs, recipe, named_key(key, "head"), role="head")

    def __call__(
        self, x: Float[Array, "batch data"], run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], list[Float[Array, "batch width"]]]:
        """The head's output, and the state after every step.

        Args:
            x: Sequences, each flattened step by step.
            run: The pass.
        """
        hidden = self.through(self._steps(x), run)
        return self._read(hidden, run), list(hidden)

    def observed(
        self, x: Float[Array, "batch data"], taps: Taps, run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], tuple[Hidden]]:
        """The head's output, and what every step looks like; see `Recurrence.watched_through`."""
        (own_taps,) = taps
        hidden = self.watched_through(self._steps(x), own_taps, run)
        return self._read(hidden.output, run), (hidden,)

    def _steps(self, x: Float[Array, "batch data"]) -> Float[Array, "length batch inputs"]:
        return x.reshape(len(x), self.length, -1).swapaxes(0, 1)

    def _read(self, hidden: Float[Array, "length batch width"], run: ForwardPass) -> Float[Array, "batch outputs"]:
        return self.head(run.recipe.readout(hidden, None), run.within("head"))


def cell_kernels(layer: Any) -> list[Any]:
    """The matrices in a tree like a recurrent layer's parameters: every gate's two."""
    gates = layer["cell"]["gates"].values()
    return [matrix for gate in gates for matrix in (gate["unit"]["dense"]["kernel"], gate["recurrent"])]
