"""A function of parameters and a batch as a list of operations, which can be run with values replaced.

Everything that watches a model stands on this: it works on the traced function, so that modules of any library and pure
functions go the same way, and none of them is modified.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

from vae_jax.diagnosis.tracing.operation_token import token_of
from vae_jax.diagnosis.tracing.source_line import Line, line_of
from vae_jax.diagnosis.tracing.straight_through import straight_through

MATRIX_PRODUCTS = frozenset({"dot_general", "conv_general_dilated", "ragged_dot", "ragged_dot_general"})

# Calls that only group operations: what they hold can stand in their place.
_GROUPS = frozenset({"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"})

# A scan over more layers than this stays one operation: its operations written out take long to run one by one.
_MOST_LAYERS = 256

# The primitive of `jax.ad_checkpoint.checkpoint_name`.
_MARK = "name"

Values = Mapping[int, Any]
Rewrite = Callable[[Values], Any]


class ThroughTime(NamedTuple):
    """Changes to a recurrence's state after each step.

    Attributes:
        taps: For each state, an array with an axis of steps in front, added to the state after each step; or None.
        gate: Where true, each step's backward Jacobian from state to state is the identity; the values stay.
    """

    taps: tuple[jax.Array | None, ...]
    gate: jax.Array | bool = False


@dataclass(frozen=True)
class Operation:
    """One operation of the traced function.

    Attributes:
        apply: From the inputs' values to the outputs'.
        inputs: The values that it reads, by number.
        outputs: The values that it makes.
        names: Names of its primitives, with those inside it.
        recurrent: For a scan over time: `apply` with a `ThroughTime` as well, and the numbers of states and steps.
        token: Equal for operations that do the same to inputs of the same shapes.
        line: Where it was written; None of one that no file of the person's own wrote.
        mark: The name that the person gave its value, by `jax.ad_checkpoint.checkpoint_name`; empty of any other.
    """

    apply: Callable[..., Sequence[Any]]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    names: frozenset[str]
    recurrent: "Recurrence | None" = None
    token: Hashable = None
    line: Line | None = None
    mark: str = ""


class Recurrence(NamedTuple):
    """A scan over time: how to run it watched, the shapes of its states, its steps, and whether it runs backwards."""

    apply: Callable[..., Sequence[Any]]
    states: tuple[jax.ShapeDtypeStruct, ...]
    steps: int
    backwards: bool


@dataclass(frozen=True)
class Graph:
    """A traced function; every value has a number.

    Attributes:
        operations: In an order in which they can run.
        constants: Values that depend on neither parameters nor batch.
        literals: Those of them that are numbers written in the code.
        parameters: The parameters' leaves.
        batch: The batch's leaves.
        outputs: The result's leaves.
        shapes: Shape and type of every value.
        signal: The values that depend on the batch.
        sources: For every other value, which of the parameters' leaves it depends on, by place.
        result: The result's tree.
    """

    operations: tuple[Operation, ...]
    constants: dict[int, Any]
    literals: frozenset[int]
    parameters: tuple[int, ...]
    batch: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: dict[int, Any]
    signal: frozenset[int]
    sources: dict[int, frozenset[int]]
    result: Any

    def evaluate(
        self, parameters: Any, batch: Any, rewrites: Mapping[int, Rewrite] | None = None
    ) -> tuple[Any, dict[int, Any]]:
        """Run the function, operation by operation.

        Args:
            parameters: As those it was traced with.
            batch: As the one it was traced with.
            rewrites: For the number of a value, what stands in its place, from all values so far (its own as well).

        Returns:
            The function's result, and every value by its number.
        """
        rewrites = rewrites or {}
        values = dict(self.constants)
        values |= zip(self.parameters, jax.tree.leaves(parameters), strict=True)
        values |= zip(self.batch, jax.tree.leaves(batch), strict=True)
        for operation in self.operations:
            results = operation.apply([values[number] for number in operation.inputs])
            for number, value in zip(operation.outputs, results, strict=True):
                values[number] = value
                if number in rewrites:
                    values[number] = rewrites[number](values)
        return jax.tree.unflatten(self.result, [values[number] for number in self.outputs]), values


def trace(function: Callable[[Any, Any], Any], parameters: Any, batch: Any) -> Graph:
    """The operations of `function(parameters, batch)`.

    A scan each step of which has matrices of its own, and whose only link to the batch is its state, is a stack of
    layers, and is written out layer by layer; any other is a recurrence, and stays one operation. Functions with
    derivatives of their own (`jax.nn.relu`) stay whole, and so keep those.

    Args:
        function: Pure.
        parameters: A pytree of arrays.
        batch: A pytree of arrays.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(parameters, batch)
    recording = _Recording()
    numbers = [recording.value(variable.aval) for variable in closed.jaxpr.invars]
    count = len(jax.tree.leaves(parameters))
    recording.signal |= set(numbers[count:])
    recording.sources |= {number: frozenset({place}) for place, number in enumerate(numbers[:count])}
    outputs = recording.walk(closed.jaxpr, [recording.constant(value) for value in closed.consts], numbers)
    return Graph(
        operations=tuple(recording.operations),
        constants=recording.constants,
        literals=frozenset(recording.literals),
        parameters=tuple(numbers[:count]),
        batch=tuple(numbers[count:]),
        outputs=tuple(outputs),
        shapes=recording.shapes,
        signal=frozenset(recording.signal),
        sources=recording.sources,
        result=jax.tree.structure(shape),
    )


@dataclass
class _Recording:
    operations: list[Operation] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    literals: set[int] = field(default_factory=set)
    shapes: dict[int, Any] = field(default_factory=dict)
    signal: set[int] = field(default_factory=set)
    sources: dict[int, frozenset[int]] = field(default_factory=dict)

    def value(self, shape: Any) -> int:
        number = len(self.shapes)
        self.shapes[number] = shape
        return number

    def constant(self, value: Any) -> int:
        number = self.value(jax.typeof(value))
        self.constants[number] = value
        return number

    def add(self, apply: Callable[..., Any], inputs: Sequence[int], shapes: list[Any], names: frozenset[str],
            token: Hashable, recurrent: Recurrence | None = None, line: Line | None = None,
            mark: str = "") -> list[int]:  # fmt: skip
        outputs = [self.value(shape) for shape in shapes]
        self.operations.append(Operation(apply, tuple(inputs), tuple(outputs), names, recurrent, token, line, mark))
        if self.signal.intersection(inputs):
            self.signal.update(outputs)
        else:
            sources = frozenset[int]().union(*(self.sources.get(number, ()) for number in inputs))
            self.sources |= dict.fromkeys(outputs, sources)
        return outputs

    def walk(
        self, jaxpr: Jaxpr, constants: Sequence[int], arguments: Sequence[int], enclosing: Line | None = None
    ) -> list[int]:
        numbers = dict(zip(jaxpr.constvars, constants, strict=True)) | dict(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> int:
            if not isinstance(atom, Literal):
                return numbers[atom]
            number = self.constant(atom.val)
            self.literals.add(number)
            return number

        for equation in jaxpr.eqns:
            line = line_of(equation, enclosing)
            outputs = self.equation(equation, [read(atom) for atom in equation.invars], line)
            numbers |= zip(equation.outvars, outputs, strict=True)
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, equation: JaxprEqn, inputs: list[int], line: Line | None) -> list[int]:
        name, names = equation.primitive.name, primitives(equation)
        shapes = [variable.aval for variable in equation.outvars]
        with_products = bool(self.signal.intersection(inputs)) and not names.isdisjoint(MATRIX_PRODUCTS)
        if name in _GROUPS and (with_products or _MARK in names):
            body, constants = opened(equation.params.get("jaxpr", equation.params.get("call_jaxpr")))
            return self.walk(body, [self.constant(value) for value in constants], inputs, line)
        if name == "scan" and with_products:
            if self.stacked(equation, inputs):
                return self.layers(equation, inputs, line)
            return self.add(bind(equation), inputs, shapes, names, token_of(equation), _recurrence(equation), line)
        mark = equation.params["name"] if name == _MARK else ""
        return self.add(bind(equation), inputs, shapes, names, token_of(equation), None, line, mark)

    def stacked(self, equation: JaxprEqn, inputs: list[int]) -> bool:
        """Whether a scan is one over layers: each step has matrices of its own, and none is fed from the batch."""
        fixed, states = equation.params["num_consts"], equation.params["num_carry"]
        own = inputs[fixed + states :]
        fed = self.signal.intersection(inputs[:fixed] + own)
        matrices = [number for number in own if self.sources.get(number) and self.shapes[number].ndim > 2]
        return not fed and bool(matrices) and equation.params["length"] <= _MOST_LAYERS

    def layers(self, equation: JaxprEqn, inputs: list[int], line: Line | None) -> list[int]:
        """A scan over stacked layers, written out."""
        fixed, count = equation.params["num_consts"], equation.params["num_carry"]
        length = equation.params["length"]
        body, constants = opened(equation.params["jaxpr"])
        held = [self.constant(value) for value in constants]
        state, stacked = inputs[fixed : fixed + count], inputs[fixed + count :]
        collected: dict[int, list[int]] = {}
        for layer in range(length)[:: -1 if equation.params["reverse"] else 1]:
            own = [self.layer(number, layer) for number in stacked]
            state_and_outputs = self.walk(body, held, [*inputs[:fixed], *state, *own], line)
            state, collected[layer] = state_and_outputs[:count], state_and_outputs[count:]
        shapes = [variable.aval for variable in equation.outvars[count:]]
        return state + [
            self.add(_stack, [collected[layer][place] for layer in range(length)], [shape], frozenset({"concatenate"}),
                     "stack")[0]
            for place, shape in enumerate(shapes)
        ]  # fmt: skip

    def layer(self, number: int, layer: int) -> int:
        shape = self.shapes[number]
        own = jax.ShapeDtypeStruct(shape.shape[1:], shape.dtype)
        # Which layer is a value, so that one program takes any.
        return self.add(_take, [number, self.constant(np.int32(layer))], [own], frozenset({"slice"}), "take")[0]


def _stack(values: Sequence[Any]) -> Sequence[Any]:
    return [jnp.stack(list(values))]


def _take(values: Sequence[Any]) -> Sequence[Any]:
    return [jax.lax.dynamic_index_in_dim(values[0], values[1], keepdims=False)]


def primitives(equation: JaxprEqn) -> frozenset[str]:
    """Names of an equation's primitive and of all inside it."""
    inner = (primitives(inside) for jaxpr in _held(equation) for inside in jaxpr.eqns)
    return frozenset({equation.primitive.name}).union(*inner)


def _held(equation: JaxprEqn) -> Iterator[Jaxpr]:
    for value in equation.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, ClosedJaxpr | Jaxpr):
                yield opened(part)[0]


def opened(jaxpr: Any) -> tuple[Jaxpr, Sequence[Any]]:
    """A jaxpr, closed or not, and its constants."""
    return (jaxpr.jaxpr, jaxpr.consts) if isinstance(jaxpr, ClosedJaxpr) else (jaxpr, ())


def bind(equation: JaxprEqn) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """An equation as a function of its inputs' values."""

    def apply(values: Sequence[Any]) -> Sequence[Any]:
        # The context carries what was set around the operation, as the precision of products on an accelerator.
        with equation.ctx.manager:
            result = equation.primitive.bind(*values, **equation.primitive.get_bind_params(equation.params))
        return result if equation.primitive.multiple_results else [result]

    return apply


def _recurrence(equation: JaxprEqn) -> Recurrence:
    fixed, count = equation.params["num_consts"], equation.params["num_carry"]
    body, run = equation.params["jaxpr"].jaxpr, jaxpr_as_fun(equation.params["jaxpr"])
    graph = trace(lambda _, values: run(*values), (), list(_shapes(body.invars)))
    backwards = equation.params["reverse"]

    def apply(values: Sequence[Any], watched: ThroughTime) -> Sequence[Any]:
        def step(state: list[Any], fed: tuple[list[Any], tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
            inputs, taps = fed
            # Where the state is made, so that what the same step makes of it is tapped too.
            rewrites = {
                number: _stepped(number, watched.gate, before, tap)
                for number, before, tap in zip(graph.outputs[:count], state, taps, strict=True)
            }
            results = graph.evaluate((), [*values[:fixed], *state, *inputs], rewrites)[0]
            return results[:count], results[count:]

        state, outputs = jax.lax.scan(
            step, list(values[fixed : fixed + count]), (list(values[fixed + count :]), watched.taps),
            length=equation.params["length"], reverse=backwards,
        )  # fmt: skip
        return [*state, *outputs]

    return Recurrence(apply, tuple(_shapes(equation.outvars[:count])), equation.params["length"], backwards)


def _shapes(variables: Sequence[Any]) -> Iterator[jax.ShapeDtypeStruct]:
    return (jax.ShapeDtypeStruct(variable.aval.shape, variable.aval.dtype) for variable in variables)


def _stepped(number: int, gate: jax.Array | bool, before: jax.Array, tap: jax.Array | None) -> Rewrite:
    def rewrite(values: Values) -> jax.Array:
        after = straight_through(gate, before, values[number])
        return after if tap is None else after + tap

    return rewrite
