"""Which values every path to another passes through, in a traced model: what its layers are found by."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp

from vae_jax.diagnosis.tracing.graph import MATRIX_PRODUCTS, Graph, Operation

KINDS = ("activation", "matrix", "normalization", "recurrence")
"""The kinds of steps whose Jacobians are replaced all at once."""

_LINEAR = frozenset({
    "add", "add_any", "sub", "neg", "mul", "div", "reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims",
    "convert_element_type", "slice", "dynamic_slice", "concatenate", "pad", "rev", "reduce_sum", "gather", "copy",
    "select_n", "stop_gradient", "copy_p", "reduce_precision", "split", "reduce_window_sum", "cumsum", "identity",
    "optimization_barrier", "sharding_constraint", "jit", "pjit", "real", "mesh_cast", "reshard", "name",
})  # fmt: skip
_REDUCTIONS = frozenset({"reduce_sum", "reduce_max", "reduce_window_sum", "psum", "cumsum"})
_DIVISIONS = frozenset({"div", "rsqrt", "sqrt", "pow", "integer_pow"})


# What a block begins with.
BEGIN = ("matrix", "block", "recurrence")


class Step(NamedTuple):
    """A step from one value to another.

    Attributes:
        before: The value it starts from.
        after: The value it ends at, with what follows of biases, scales and changes of shape.
        core: Where its own operations end.
        kind: activation, matrix, normalization or recurrence; or block, for several of these side by side.
        block: Which block it belongs to.
    """

    before: int
    after: int
    core: int
    kind: str
    block: int


# What acts on each entry alone, so that the slope in the direction of ones is each entry's own.
_ELEMENTWISE = frozenset({
    "abs", "acos", "acosh", "add", "and", "asin", "asinh", "atan", "atan2", "atanh", "broadcast_in_dim", "cbrt", "ceil",
    "clamp", "convert_element_type", "copy", "cos", "cosh", "custom_jvp_call", "custom_vjp_call", "digamma", "div",
    "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "ge", "gt", "integer_pow", "is_finite", "jit",
    "le", "lgamma", "log", "log1p", "logistic", "lt", "max", "min", "mul", "name", "ne", "neg", "not", "or", "pjit",
    "pow", "rem", "round", "rsqrt", "select_n", "sign", "sin", "sinh", "sqrt", "square", "stop_gradient", "sub", "tan",
    "tanh", "xor",
})  # fmt: skip


class Slope(NamedTuple):
    """An activation that acts on every entry alone.

    Attributes:
        before: The value that it is given.
        after: What it makes of that.
        operations: Those that it is made of.
    """

    before: int
    after: int
    operations: tuple[Operation, ...]


class Paths:
    """Which values every path to a value passes through."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.made = {n: index for index, operation in enumerate(graph.operations) for n in operation.outputs}
        # A bit for each operation: sets of thousands of operations for each of thousands of values.
        self.ancestors: dict[int, int] = dict.fromkeys(graph.batch, 0)
        self.dominator: dict[int, int | None] = {}
        self.depth: dict[int | None, int] = {None: 0}
        # For each value, how many of the steps that every path to it takes hold a matrix.
        self.score: dict[int, int] = {}
        self.products = 0
        for number in graph.batch:
            self._enter(number, None)
        # The first value that every path from one to the function's outputs passes through; None is their end.
        self.merge: dict[int, int | None] = {}
        for index, operation in enumerate(graph.operations):
            inputs = [number for number in operation.inputs if number in graph.signal]
            if not inputs:
                continue
            common: int | None = inputs[0]
            mask = 1 << index
            self.products |= mask * bool(self.matrices(operation))
            for number in inputs:
                common = self._meet(common, number)
                mask |= self.ancestors[number]
            for number in operation.outputs:
                self.ancestors[number] = mask
                self._enter(number, common)

        self._merges()

    def _merges(self) -> None:
        graph = self.graph
        depth: dict[int | None, int] = {None: 0}
        onwards: dict[int, list[int]] = {}

        def meet(one: int | None, other: int | None) -> int | None:
            while one != other:
                if depth[one] >= depth[other]:
                    one = self.merge[one] if one is not None else None
                else:
                    other = self.merge[other] if other is not None else None
            return one

        def close(number: int) -> None:
            targets: list[int | None] = [*onwards.get(number, ())]
            if number in graph.outputs:
                targets.append(None)
            if not targets:
                # No output depends on it.
                return
            common = targets[0]
            for target in targets[1:]:
                common = meet(common, target)
            self.merge[number] = common
            depth[number] = depth[common] + 1

        for operation in reversed(graph.operations):
            for number in operation.outputs:
                close(number)
            alive = [number for number in operation.outputs if number in self.merge]
            for number in operation.inputs:
                onwards.setdefault(number, []).extend(alive)
        for number in graph.batch:
            close(number)

    def follows(self, number: int) -> int | None:
        """The next value that all ways onward lead to, where nothing else of the batch joins on the way."""
        after = self.merge.get(number)
        if after is None or self.dominator[after] is None:
            return None
        above: int | None = after
        while above is not None and self.depth[above] > self.depth[number]:
            above = self.dominator[above]
        return after if above == number else None

    def _enter(self, number: int, dominator: int | None) -> None:
        self.dominator[number] = dominator
        self.depth[number] = self.depth[dominator] + 1
        above = (self.score[dominator], self.ancestors[dominator]) if dominator is not None else (0, 0)
        self.score[number] = above[0] + bool(self.ancestors[number] & ~above[1] & self.products)

    def reach(self, number: int) -> tuple[int, int]:
        """How many matrices a value depends on, and how many of the steps that every path to it takes hold one."""
        return (self.ancestors[number] & self.products).bit_count(), self.score[number]

    def _meet(self, one: int | None, other: int | None) -> int | None:
        while one != other:
            if self.depth[one] >= self.depth[other]:
                one = self.dominator[one] if one is not None else None
            else:
                other = self.dominator[other] if other is not None else None
        return one

    def floating(self, number: int) -> bool:
        return jnp.issubdtype(self.graph.shapes[number].dtype, jnp.floating)

    def between(self, before: int | None, after: int) -> Iterator[Operation]:
        """The operations from one value to another that it dominates."""
        mask = self.ancestors[after] & ~(self.ancestors[before] if before is not None else 0)
        while mask:
            lowest = mask & -mask
            yield self.graph.operations[lowest.bit_length() - 1]
            mask ^= lowest

    def matrices(self, operation: Operation) -> frozenset[int]:
        """The parameters that an operation multiplies the signal with."""
        lookup = "gather" in operation.names and operation.inputs[0] not in self.graph.signal
        if not (lookup or not operation.names.isdisjoint(MATRIX_PRODUCTS)):
            return frozenset()
        fed = [number for number in operation.inputs if number not in self.graph.signal]
        if len(operation.names) > 1:
            # Inside a scan biases are parameters of the operation like matrices; those have an axis more.
            fed = [number for number in fed if self.graph.shapes[number].ndim > 1]
        return frozenset[int]().union(*(self.graph.sources.get(number, ()) for number in fed))

    def line(self, before: int | None, after: int) -> list[int]:
        """The floating values on the way that every path passes through, the last included."""
        line = [after]
        while (above := self.dominator[line[-1]]) not in (before, None):
            line.append(above)  # pyright: ignore[reportArgumentType]
        return [number for number in reversed(line) if self.floating(number)]

    def slope(self, before: int, after: int) -> Slope | None:
        """The activation from one value to the next that every path passes through, if it acts on each entry alone."""
        way = tuple(self.between(before, after))
        same = self.graph.shapes[before].shape == self.graph.shapes[after].shape
        by_entry = same and all(operation.names <= _ELEMENTWISE for operation in way)
        return Slope(before, after, way) if by_entry and self.kind(before, after) == "activation" else None

    def slopes(self, before: int, after: int) -> tuple[Slope, ...]:
        """The activations on the way between two values that act on each entry alone."""
        line = [before, *self.line(before, after)]
        found = (self.slope(one, other) for one, other in itertools.pairwise(line) if self.floating(one))
        return tuple(slope for slope in found if slope is not None)

    def kind(self, before: int | None, after: int) -> str:
        operations = list(self.between(before, after))
        if any(operation.recurrent for operation in operations):
            return "recurrence"
        if any(self.matrices(operation) for operation in operations):
            return "matrix" if len(operations) == 1 else "block"
        names = frozenset[str]().union(*(operation.names for operation in operations))
        same = before is not None and self.graph.shapes[before].shape == self.graph.shapes[after].shape
        if same and names & _REDUCTIONS and names & _DIVISIONS:
            return "normalization"
        bent = any(self._bends(operation) for operation in operations)
        return "activation" if bent else "linear"

    def _bends(self, operation: Operation) -> bool:
        signal = [number in self.graph.signal for number in operation.inputs]
        if operation.names & {"mul", "div", "dot_general"} and sum(signal) > 1:
            return True
        if operation.names == {"div"} and signal[-1]:
            return True
        return not operation.names <= _LINEAR or ("select_n" in operation.names and signal[0])

    def steps(self, before: int | None, after: int) -> tuple[Any, list[Step]]:
        """The steps on the way, each with the linear maps that follow it; and where the first starts."""
        steps: list[Step] = []
        start = before
        for number in self.line(before, after):
            last = steps[-1].after if steps else start
            kind = self.kind(last, number)
            if last is None and self.dominator[number] is None and kind in BEGIN:
                # Several arrays of the batch meet in the first layer: it starts from the largest of them.
                last = start = self._largest(number)
            if kind == "linear" and steps and self._by_example(steps[-1].after) and not self._by_example(number):
                # Examples leave the first axis, as before a recurrence: that belongs to what asks for it.
                continue
            if steps and (kind == "linear" or (kind == steps[-1].kind and kind in ("activation", "normalization"))):
                core = steps[-1].core if kind == "linear" else number
                steps[-1] = steps[-1]._replace(after=number, core=core)
            elif last is None or kind == "linear" or (not steps and before is None and kind not in BEGIN):
                start = number
            else:
                steps.append(Step(last, number, number, kind, 0))
        return start, steps

    def _largest(self, number: int) -> int:
        """Of the batch's arrays that a value depends on the largest real one."""
        reached = {number}
        for operation in reversed(self.graph.operations[: self.made[number] + 1]):
            if not reached.isdisjoint(operation.outputs):
                reached.update(operation.inputs)
        there = [leaf for leaf in self.graph.batch if leaf in reached]
        return max(there, key=lambda leaf: (self.floating(leaf), math.prod(self.graph.shapes[leaf].shape)))

    def _by_example(self, number: int) -> bool:
        shape, given = self.graph.shapes[number].shape, self.graph.shapes[self.graph.batch[0]].shape
        return shape[:1] == given[:1]

    def with_nested(self, steps: list[Step]) -> list[Step]:
        """These steps, and after them the steps inside residual branches and the like: on each way into the last one.

        Each is opened once: where layers share a path, as by a vector that modulates them all, the ways double with
        every layer.
        """
        found, opened, waiting = dict.fromkeys(steps), set[Step](), steps[::-1]
        while waiting:
            step = waiting.pop()
            if step in opened:
                continue
            opened.add(step)
            found[step] = None
            ways = self.graph.operations[self.made[step.core]].inputs if step.kind == "block" else ()
            for number in reversed(ways):
                if number in self.graph.signal and number != step.before:
                    inside = self.steps(step.before, number)[1]
                    waiting += [inner._replace(block=step.block) for inner in reversed(inside)]
        return list(found)
