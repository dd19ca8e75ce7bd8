"""The hidden values of a traced model, and the blocks between them.

A hidden value is one through which every path from the batch to the model's output passes: the output of a layer, of a
residual branch with its skip, of a recurrence. What lies between two of them is a block.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vae_jax.diagnosis.graph import MATRIX_PRODUCTS, Graph, Operation

KINDS = ("activation", "matrix", "normalization", "recurrence")
"""The kinds of steps whose Jacobians are replaced all at once."""

_LINEAR = frozenset({
    "add", "add_any", "sub", "neg", "mul", "div", "reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims",
    "convert_element_type", "slice", "dynamic_slice", "concatenate", "pad", "rev", "reduce_sum", "gather", "copy",
    "select_n", "stop_gradient", "copy_p", "reduce_precision", "split", "reduce_window_sum", "cumsum", "identity",
    "optimization_barrier", "sharding_constraint", "jit", "pjit", "real", "mesh_cast", "reshard",
})  # fmt: skip
_REDUCTIONS = frozenset({"reduce_sum", "reduce_max", "reduce_window_sum", "psum", "cumsum"})
_DIVISIONS = frozenset({"div", "rsqrt", "sqrt", "pow", "integer_pow"})


# What a block begins with.
_BEGIN = ("matrix", "block", "recurrence")


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


@dataclass(frozen=True)
class Block:
    """From one matrix to before the next.

    Attributes:
        name: The path of the parameters that feed its matrix.
        before: The value it starts from.
        after: The value it ends at: the layer's h.
        matrices: Which of the parameters' leaves are its matrices, by place.
        recurrences: The first outputs of its scans over time.
    """

    name: str
    before: int
    after: int
    matrices: tuple[int, ...]
    recurrences: tuple[int, ...]


@dataclass(frozen=True)
class Chain:
    """A model's blocks in order.

    Attributes:
        graph: What they are blocks of.
        root: The value that the first block starts from, read by the blocks alone.
        blocks: In the order of the signal.
        steps: The steps within blocks, those inside residual branches too.
    """

    graph: Graph
    root: int
    blocks: tuple[Block, ...]
    steps: tuple[Step, ...]

    def within(self, before: int, after: int) -> frozenset[int]:
        """The values on all ways from one value, not included, to another."""
        inputs = {number: operation.inputs for operation in self.graph.operations for number in operation.outputs}
        found: set[int] = set()
        waiting = [after]
        while waiting:
            number = waiting.pop()
            if number != before and number in self.graph.signal and number not in found:
                found.add(number)
                waiting.extend(inputs.get(number, ()))
        return frozenset(found)


def find_chain(graph: Graph, parameters: Any) -> Chain:
    """The longest chain of blocks in a traced model.

    Args:
        graph: The model, from `trace`.
        parameters: What it was traced with, for the names of its leaves.

    Raises:
        ValueError: If no product with a parameter lies on the way from the batch.
    """
    paths = _Paths(graph)
    layered = [number for number, score in paths.score.items() if score and paths.floating(number)]
    # An output that holds something of each example ends the chain; else its last matrix does, before losses and means.
    outputs = [number for number in graph.outputs if number in layered and graph.shapes[number].ndim]
    end = max(outputs or layered, key=lambda number: (*paths.reach(number), -number), default=-1)
    start, steps = paths.steps(None, end) if layered else (-1, [])
    if not steps:
        raise ValueError(
            "the model has no matrix product of the batch with a parameter, so it has no layers to tell apart: "
            "give its matrices as parameters, not as constants inside the function"
        )
    steps = _numbered(steps)
    names = _names(parameters)
    blocks: list[Block] = []
    for index in range(steps[-1].block + 1):
        own = [step for step in steps if step.block == index]
        inside = list(paths.between(own[0].before, own[-1].after))
        matrices = sorted({leaf for operation in inside for leaf in paths.matrices(operation)})
        recurrences = tuple(operation.outputs[0] for operation in inside if operation.recurrent)
        name = _name([names[leaf] for leaf in matrices])
        blocks.append(Block(name, own[0].before, own[-1].after, tuple(matrices), recurrences))
    steps = paths.with_nested(steps)
    root, graph = _isolated(graph, start, paths.ancestors[end])
    return Chain(graph, root, tuple(_moved(_distinct(blocks), start, root)), tuple(_moved(steps, start, root)))


def _moved(parts: Iterable[Any], start: int, root: int) -> Iterator[Any]:
    """Blocks or steps, with those that start at the chain's start starting at its copy."""
    for part in parts:
        if part.before == start:
            part = part._replace(before=root) if isinstance(part, Step) else replace(part, before=root)
        yield part


class _Paths:
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
            if kind == "linear" and steps and self._by_example(steps[-1].after) and not self._by_example(number):
                # Examples leave the first axis, as before a recurrence: that belongs to what asks for it.
                continue
            if steps and (kind == "linear" or (kind == steps[-1].kind and kind in ("activation", "normalization"))):
                core = steps[-1].core if kind == "linear" else number
                steps[-1] = steps[-1]._replace(after=number, core=core)
            elif last is None or kind == "linear" or (not steps and before is None and kind not in _BEGIN):
                start = number
            else:
                steps.append(Step(last, number, number, kind, 0))
        return start, steps

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


def _numbered(steps: Sequence[Step]) -> list[Step]:
    """The steps with their blocks: every matrix begins one."""
    block, numbered = -1, []
    for step in steps:
        block += step.kind in _BEGIN
        numbered.append(step._replace(block=block))
    return numbered


def _isolated(graph: Graph, root: int, chain: int) -> tuple[int, Graph]:
    """The graph with the chain reading a copy of its root, so that what a loss reads of the batch is not touched."""
    copy = max(graph.shapes) + 1
    operations: list[Operation] = []
    duplicate = Operation(lambda values: values, (root,), (copy,), frozenset({"copy"}))
    if root in graph.batch:
        operations.append(duplicate)
    for index, operation in enumerate(graph.operations):
        if chain >> index & 1 and root in operation.inputs:
            inputs = tuple(copy if number == root else number for number in operation.inputs)
            operation = replace(operation, inputs=inputs)
        operations.append(operation)
        if root in operation.outputs:
            operations.append(duplicate)
    shapes = graph.shapes | {copy: graph.shapes[root]}
    return copy, replace(graph, operations=tuple(operations), shapes=shapes, signal=graph.signal | {copy})


def _names(parameters: Any) -> list[tuple[str, ...]]:
    leaves = jax.tree_util.tree_flatten_with_path(parameters)[0]
    return [tuple(jax.tree_util.keystr((key,), simple=True) for key in path) for path, _ in leaves]


def _name(paths: list[tuple[str, ...]]) -> str:
    """The path that a block's matrices share, without the name of the matrix itself."""
    if len(paths) == 1:
        return "/".join(paths[0][:-1] or paths[0]) or "matrix"
    common = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    first = "/".join(paths[0][:-1] or paths[0])
    return "/".join(common) or f"{first} to {'/'.join(paths[-1][:-1] or paths[-1])}"


def _distinct(blocks: list[Block]) -> Iterator[Block]:
    """Blocks whose matrices lie in one stacked or shared parameter, numbered."""
    names = [block.name for block in blocks]
    for index, block in enumerate(blocks):
        same = names[:index].count(block.name)
        yield replace(block, name=f"{block.name}[{same}]") if names.count(block.name) > 1 else block
