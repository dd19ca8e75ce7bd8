"""A traced model run forward and backward piece by piece, so that equal pieces are compiled once.

A piece is the operations from one watched value to the next. What is compiled is linear in the distinct pieces, not in
the depth, and what is watched, replaced or cut costs no compilation of the whole. This is the one file of the package
that compiles: a diagnosis is no training step, and nobody could compile it from outside.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vae_jax.diagnosis.tracing.graph import Graph, Operation, Rewrite, ThroughTime
from vae_jax.diagnosis.tracing.paths import Slope
from vae_jax.diagnosis.tracing.straight_through import fitted
from vae_jax.layers.slope import relative_slope

# More operations at once take longer to compile than two pieces.
_LONGEST = 200

Value = Any


@dataclass(frozen=True)
class Pulled:
    """What a gradient leaves behind on its way back.

    Attributes:
        at: By the number of a value between two pieces, of a parameter or of the batch, d(seed)/d(value); a value that
            no gradient reaches is not there.
        states: By the first output of a recurrence, for each of its states that is real d(seed)/d(state) after each
            step, with an axis of steps in front.
    """

    at: dict[int, Value]
    states: dict[int, tuple[Value, ...]]


@dataclass(frozen=True)
class _Piece:
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    key: Hashable
    literals: dict[int, Value]

    def run(self, inputs: Sequence[Value]) -> list[Value]:
        values = dict(zip(self.inputs, inputs, strict=True)) | self.literals
        for operation in self.operations:
            results = operation.apply([values[number] for number in operation.inputs])
            values |= zip(operation.outputs, results, strict=True)
        return [values[number] for number in self.outputs]


class Passes:
    """The forward and the backward pass of a graph.

    Args:
        graph: The traced function.
        watched: Values that are kept, and at which a gradient may be read, replaced or turned aside.
    """

    def __init__(self, graph: Graph, watched: Iterable[int]):
        self.graph = graph
        kept = set(watched) | set(graph.outputs)
        self.pieces = tuple(_pieces(graph, kept))
        self._programs: dict[Hashable, Any] = {}
        given = (*graph.parameters, *graph.batch)
        moved = {number for number in given if self.real(number)}
        for operation in graph.operations:
            if not moved.isdisjoint(operation.inputs):
                moved.update(number for number in operation.outputs if self.real(number))
        # Values whose gradient somebody may ask for.
        self.moved = frozenset(moved)

    def real(self, number: int) -> bool:
        """Whether a value is of a type that has a gradient."""
        return jnp.issubdtype(self.graph.shapes[number].dtype, jnp.inexact)

    @property
    def programs(self) -> int:
        """How many programs were compiled."""
        return len(self._programs)

    @property
    def bytes(self) -> int:
        """How much the forward pass keeps."""
        numbers = {number for piece in self.pieces for number in piece.outputs}
        return sum(size_of(self.graph.shapes[number]) for number in numbers)

    def forward(
        self, parameters: Any, batch: Any, replaced: Mapping[int, Value | Rewrite] | None = None
    ) -> dict[int, Value]:
        """Every value between two pieces, by its number.

        Args:
            parameters: As those the graph was traced with.
            batch: As the one the graph was traced with.
            replaced: What stands in the place of a watched value, or makes it from all values so far.
        """
        graph, replaced = self.graph, replaced or {}
        values = dict(graph.constants)
        values |= zip(graph.parameters, jax.tree.leaves(parameters), strict=True)
        values |= zip(graph.batch, jax.tree.leaves(batch), strict=True)

        def put(number: int) -> None:
            other = replaced[number]
            values[number] = other(values) if callable(other) else other

        for number in (*graph.parameters, *graph.batch):
            if number in replaced:
                put(number)
        for piece in self.pieces:
            program = self._program(("run", piece.key), lambda piece=piece: jax.jit(piece.run))
            results = program([values[number] for number in piece.inputs])
            values |= zip(piece.outputs, results, strict=True)
            for number in piece.outputs:
                if number in replaced:
                    put(number)
        return values

    def backward(
        self,
        values: Mapping[int, Value],
        seeds: Mapping[int, Value],
        aside: Mapping[int, int | None] | None = None,
        *,
        through_time: bool = False,
        parameters: bool = True,
    ) -> Pulled:
        """The gradient of a sum of values times seeds.

        Args:
            values: Of a forward pass.
            seeds: By the number of a value, what arrives there.
            aside: By the number of a value, another: what arrives at the first goes to the second as if the two were
                one (cut or padded with zeros where sizes differ), and nothing of it to what made the first; None
                where it ends there.
            through_time: Whether each recurrence's step hands the gradient of its state on as it is.
            parameters: Whether the gradients of parameters are wanted.
        """
        arrived, aside = dict(seeds), aside or {}
        states: dict[int, tuple[Value, ...]] = {}
        wanted = self.moved if parameters else self.moved - set(self.graph.parameters)
        found: dict[int, Value] = {}
        for piece in reversed(self.pieces):
            for number in piece.outputs:
                if number in arrived:
                    found[number] = arrived[number]
                    if number in aside:
                        here, other = arrived.pop(number), aside[number]
                        if other is not None:
                            _add(arrived, other, fitted(here, self.graph.shapes[other]))
            present = tuple(number in arrived for number in piece.outputs)
            cotangents = [arrived.pop(number) for number in piece.outputs if number in arrived]
            moving = tuple(number in wanted for number in piece.inputs)
            if not any(present) or not any(moving):
                continue
            recurrence = piece.operations[0].recurrent
            program = self._program(
                ("pull", piece.key, present, moving),
                lambda piece=piece, present=present, moving=moving: jax.jit(_pull(piece, present, moving)),
            )
            gates = () if recurrence is None else (jnp.asarray(through_time),)
            results, taps = program([values[number] for number in piece.inputs], cotangents, *gates)
            if recurrence is not None:
                states[piece.operations[0].outputs[0]] = tuple(taps)
            for number, result in zip(
                [n for n, m in zip(piece.inputs, moving, strict=True) if m], results, strict=True
            ):
                _add(arrived, number, result)
        # What is left has arrived at parameters and the batch.
        return Pulled(found | arrived, states)

    def slope(self, slope: Slope, values: Mapping[int, Value]) -> np.ndarray:
        """|phi'| of an activation where it was used, entry by entry, as a share of the largest that phi has near 0."""
        outside = [number for number in _read(slope.operations) if number not in self.graph.literals]
        literals = {
            number: self.graph.constants[number] for number in _read(slope.operations) if number in self.graph.literals
        }
        inputs = (slope.before, *(number for number in outside if number != slope.before))
        key = _key(self.graph, slope.operations, inputs, (slope.after,), literals)
        piece = _Piece(slope.operations, inputs, (slope.after,), key, literals)

        def steepness(inputs: Sequence[Value]) -> Value:
            return relative_slope(lambda z: piece.run([z, *inputs[1:]])[0], inputs[0], of_each_entry=True)

        program = self._program(("slope", key), lambda: jax.jit(steepness))
        return np.asarray(program([values[number] for number in inputs]))

    def _program(self, key: Hashable, make: Any) -> Any:
        if key not in self._programs:
            self._programs[key] = make()
        return self._programs[key]


def size_of(shape: Any) -> int:
    """Bytes of a value."""
    return math.prod(shape.shape) * (shape.dtype.itemsize if isinstance(shape.dtype, np.dtype) else 8)


def _add(arrived: dict[int, Value], number: int, value: Value) -> None:
    arrived[number] = arrived[number] + value if number in arrived else value


def _read(operations: Sequence[Operation]) -> list[int]:
    """The values that some operations are given by others."""
    made = {number for operation in operations for number in operation.outputs}
    return list(dict.fromkeys(n for operation in operations for n in operation.inputs if n not in made))


def _pieces(graph: Graph, kept: set[int]) -> Iterable[_Piece]:
    cuts: list[list[Operation]] = [[]]
    for operation in graph.operations:
        if operation.recurrent is not None or len(cuts[-1]) >= _LONGEST:
            cuts.append([])
        cuts[-1].append(operation)
        if operation.recurrent is not None or not kept.isdisjoint(operation.outputs):
            cuts.append([])
    groups = [group for group in cuts if group]
    last_reader: dict[int, int] = {}
    for index, group in enumerate(groups):
        last_reader |= dict.fromkeys((number for operation in group for number in operation.inputs), index)
    for index, group in enumerate(groups):
        read = _read(group)
        inputs = tuple(number for number in read if number not in graph.literals)
        literals = {number: graph.constants[number] for number in read if number in graph.literals}
        outputs = tuple(
            number for operation in group for number in operation.outputs
            if number in kept or last_reader.get(number, index) > index
        )  # fmt: skip
        if outputs:
            yield _Piece(tuple(group), inputs, outputs, _key(graph, group, inputs, outputs, literals), literals)


def _key(
    graph: Graph,
    group: Sequence[Operation],
    inputs: Sequence[int],
    outputs: Sequence[int],
    literals: Mapping[int, Value],
) -> Hashable:
    """Equal for pieces that do the same: their operations, with values numbered as they come."""
    numbers: dict[int, Hashable] = {number: place for place, number in enumerate(inputs)}
    numbers |= {n: (_kind(graph.shapes[n]), np.asarray(value).tobytes()) for n, value in literals.items()}
    text: list[Hashable] = [tuple(_kind(graph.shapes[number]) for number in inputs)]
    for operation in group:
        text.append((operation.token, tuple(numbers[n] for n in operation.inputs), operation.recurrent is not None))
        for number in operation.outputs:
            numbers[number] = len(numbers)
    return tuple(text), tuple(numbers[number] for number in outputs)


def _kind(shape: Any) -> Hashable:
    return tuple(shape.shape), str(shape.dtype)


def _pull(piece: _Piece, present: Sequence[bool], moving: Sequence[bool]) -> Any:
    """A piece's backward pass, as a function of its inputs and of what arrives at those outputs where something does.

    Gives what arrives at the moving inputs, and at a recurrence's states after each step.
    """
    recurrence = piece.operations[0].recurrent

    def pull(inputs: Sequence[Value], cotangents: Sequence[Value], gate: Value = False) -> tuple[Any, Any]:
        def run(given: Sequence[Value], taps: Any) -> list[Value]:
            own = iter(given)
            everything = [next(own) if m else value for value, m in zip(inputs, moving, strict=True)]
            if recurrence is None:
                results = piece.run(everything)
            else:
                values = dict(zip(piece.inputs, everything, strict=True)) | piece.literals
                operation = piece.operations[0]
                made = recurrence.apply([values[n] for n in operation.inputs], ThroughTime(taps, gate))
                values |= zip(operation.outputs, made, strict=True)
                results = [values[number] for number in piece.outputs]
            return _where(present, results)

        taps = None
        if recurrence is not None:
            taps = tuple(
                jnp.zeros((recurrence.steps, *state.shape), state.dtype)
                if jnp.issubdtype(state.dtype, jnp.floating) else None
                for state in recurrence.states
            )  # fmt: skip
        _, pulled = jax.vjp(run, _where(moving, inputs), taps)
        results, by_tap = pulled(list(cotangents))
        return results, [tap for tap in by_tap or () if tap is not None]

    return pull


def _where(chosen: Sequence[bool], parts: Sequence[Any]) -> list[Any]:
    return [part for part, each in zip(parts, chosen, strict=True) if each]
