"""Recurrent cells: how one step makes a state of an input and of the state before it."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.layers.normalization import layer_norm
from vae_jax.layers.units import Unit
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.state_passing import State

Rows = Float[Array, "rows columns"]
Sums = Float[Array, "batch columns"]
Matrix = Float[Array, "width columns"]

CANDIDATE = "candidate"


class Gate(nnx.Module):
    """The sums of one gate: norm(W x + b) of the input, by a unit, and U h of the state before, by a matrix."""

    def __init__(self, inputs: int, width: int, recipe: Recipe, key: PRNGKeyArray, candidate: bool):
        """Draw a gate.

        Args:
            inputs: Size of a step's input.
            width: Units of the state.
            recipe: Which initializers, normalization and form of the weights.
            key: Of its draws.
            candidate: Whether it is activated by the recipe's unit; the others by a sigmoid.
        """
        make = recipe.unit if candidate else Unit
        self.unit: Unit = make(inputs, width, recipe, named_key(key, "unit"), role="input")
        shape, dtype = (width, width), jnp.result_type(float).type
        self.recurrent = nnx.Param(recipe.recurrent_init(named_key(key, "recurrent"), shape, dtype, "hidden"))
        self.form = recipe.weight_form(self.recurrent[...])
        # Where a gate starts is for its bias to say.
        self.unit.dense.takes_data = candidate


class TanhCell(nnx.Module):
    """h' = phi(norm(W x + b) + U h), phi being tanh where the recipe has it: dh'/dh = U diag(phi').

    Every other cell is one of these with more gates. The sums over a sequence's inputs are made at once, before the
    first step, so that a step multiplies by one matrix, U of all gates side by side; so may batch normalization be.

    Source:
        Elman 1990, Cognitive Science 14(2); normalized as in Laurent et al. 2016, arXiv:1510.01378.
    """

    # The gates, in the order of their columns.
    names: tuple[str, ...] = (CANDIDATE,)
    # Arrays that one step passes to the next: h, and what a cell remembers beside it.
    states = 1

    def __init__(self, inputs: int, width: int, length: int, recipe: Recipe, key: PRNGKeyArray):
        """Draw a cell.

        Args:
            inputs: Size of a step's input.
            width: Units of the state.
            length: Steps of a sequence: gates may be drawn for it.
            recipe: Which unit, initializers, normalization and form of the weights.
            key: Every gate's key comes from it by the gate's name.
        """
        self.gates = nnx.Dict({
            name: Gate(inputs, width, recipe, named_key(key, name), name == CANDIDATE) for name in self.names
        })  # fmt: skip

    def drive(self, x: Float[Array, "rows inputs"], run: ForwardPass) -> Rows:
        """norm(W x + b) of every gate, side by side."""
        return jnp.concatenate([self.gates[name].unit.preactivation(x, run) for name in self.names], axis=1)

    def matrix(self) -> Matrix:
        """U of every gate, side by side."""
        gates = [self.gates[name] for name in self.names]
        return jnp.concatenate([gate.form(gate.recurrent[...]) for gate in gates], axis=1)

    def __call__(self, drive: Sums, state: State, matrix: Matrix, run: ForwardPass) -> State:
        """One step.

        Args:
            drive: From `drive`.
            state: h of the step before, and what is remembered beside it.
            matrix: From `matrix`.
            run: The pass at this step.
        """
        return (self.activate(drive + run.recipe.product(state[0], matrix), run),)

    def activate(self, z: Float[Array, "batch width"], run: ForwardPass) -> Float[Array, "batch width"]:
        """phi(z)."""
        return self.gates[CANDIDATE].unit.activate(z, run)


class LSTMCell(TanhCell):
    """c' = f c + i g, h' = o phi(c'): a memory that the gradient leaves by f alone, whatever the matrices are.

    i, f and o are sigmoids, g = phi, each of W x + U h + b.

    Source:
        Hochreiter & Schmidhuber 1997, Neural Computation 9(8); with the forget gate of Gers et al. 2000.
    """

    names = ("input", "forget", CANDIDATE, "output")
    states = 2

    def __init__(self, inputs: int, width: int, length: int, recipe: Recipe, key: PRNGKeyArray):
        """Draw a cell; arguments as for `TanhCell`."""
        super().__init__(inputs, width, length, recipe, key)
        forget, write = (self.gates[name].unit.dense.bias for name in ("forget", "input"))
        biases = recipe.gate_bias(named_key(key, "gate_bias"), (width,), forget.dtype.type, length)
        for bias, added in zip((forget, write), biases, strict=True):
            bias[...] = bias[...] + added

    def __call__(self, drive: Sums, state: State, matrix: Matrix, run: ForwardPass) -> State:
        h, c = state
        i, f, g, o = jnp.split(drive + self.recurrence(h, matrix, run), 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * self.activate(g, run.within(CANDIDATE))
        return jax.nn.sigmoid(o) * self.activate(self.read(c), run.within("memory")), c

    def recurrence(self, h: Float[Array, "batch width"], matrix: Matrix, run: ForwardPass) -> Sums:
        """U h of all gates."""
        return run.recipe.product(h, matrix)

    def read(self, c: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
        """The memory as it is activated."""
        return c


class LayerNormLSTMCell(LSTMCell):
    """An LSTM whose W x, U h and c are each brought to mean 0 and variance 1, with learnt scales and shifts.

    The first two over all gates together; the gates' biases stand outside. Whatever the matrices are, no gate is
    saturated at first.

    Source:
        Ba, Kiros & Hinton 2016, arXiv:1607.06450, equations 20 to 22.
    """

    def __init__(self, inputs: int, width: int, length: int, recipe: Recipe, key: PRNGKeyArray):
        """Draw a cell; arguments as for `TanhCell`."""
        super().__init__(inputs, width, length, recipe, key)
        self.input_normalization, self.state_normalization = (layer_norm(4 * width) for _ in range(2))
        self.memory_normalization = layer_norm(width)

    def drive(self, x: Float[Array, "rows inputs"], run: ForwardPass) -> Rows:
        """LN(W x) + b of every gate, side by side."""
        bias = jnp.concatenate([self.gates[name].unit.dense.bias[...] for name in self.names])[None]
        return self.input_normalization(super().drive(x, run) - bias) + bias

    def recurrence(self, h: Float[Array, "batch width"], matrix: Matrix, run: ForwardPass) -> Sums:
        """LN(U h) of all gates."""
        return self.state_normalization(super().recurrence(h, matrix, run))

    def read(self, c: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
        """LN(c)."""
        return self.memory_normalization(c)


class GRUCell(TanhCell):
    """h' = u h + (1 - u) phi(W x + b + r U h): the update gate u keeps h itself, and with it the gradient.

    r and u are sigmoids of W x + U h + b.

    Source:
        Cho et al. 2014, arXiv:1406.1078; with r after U, as in cuDNN and PyTorch.
    """

    names = ("reset", "update", CANDIDATE)

    def __init__(self, inputs: int, width: int, length: int, recipe: Recipe, key: PRNGKeyArray):
        """Draw a cell; arguments as for `TanhCell`."""
        super().__init__(inputs, width, length, recipe, key)
        bias = self.gates["update"].unit.dense.bias
        keep, _ = recipe.gate_bias(named_key(key, "gate_bias"), (width,), bias.dtype.type, length)
        bias[...] = bias[...] + keep

    def __call__(self, drive: Sums, state: State, matrix: Matrix, run: ForwardPass) -> State:
        (h,) = state
        inputs = jnp.split(drive, 3, axis=1)
        before = jnp.split(run.recipe.product(h, matrix), 3, axis=1)
        reset, update = (jax.nn.sigmoid(one + other) for one, other in zip(inputs[:2], before[:2], strict=True))
        candidate = self.activate(inputs[2] + reset * before[2], run)
        return (update * h + (1 - update) * candidate,)
