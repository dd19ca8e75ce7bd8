"""The hidden values of a traced model, and the blocks between them.

A hidden value is one through which every path from the batch to the model's output passes: the output of a layer, of a
residual branch with its skip, of a recurrence. What lies between two of them is a block.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vae_jax.diagnosis.layers.rows import Row, name_of, names_of, root_of, rows_of
from vae_jax.diagnosis.tracing.graph import Graph, Operation
from vae_jax.diagnosis.tracing.paths import BEGIN, Paths, Slope, Step


@dataclass(frozen=True)
class Block:
    """From one matrix to before the next.

    Attributes:
        name: The path of the parameters that feed its matrix.
        before: The value it starts from.
        after: The value it ends at: the layer's h.
        matrices: Which of the parameters' leaves are its matrices, by place.
        recurrences: The first outputs of its scans over time.
        slopes: Its activations that act on every entry alone, those on ways around others left out.
    """

    name: str
    before: int
    after: int
    matrices: tuple[int, ...]
    recurrences: tuple[int, ...]
    slopes: tuple[Slope, ...]


@dataclass(frozen=True)
class Chain:
    """A model's blocks in order.

    Attributes:
        graph: What they are blocks of.
        root: The value that the first block starts from, read by the blocks alone.
        blocks: In the order of the signal.
        steps: The steps within blocks, those inside residual branches too.
        rows: Every matrix with what follows it, wherever it stands: in a branch, in a head, beside the chain.
    """

    graph: Graph
    root: int
    blocks: tuple[Block, ...]
    steps: tuple[Step, ...]
    rows: tuple[Row, ...]

    @property
    def watched(self) -> frozenset[int]:
        """The values at which something is read or replaced."""
        ends = {number for block in self.blocks for number in (block.before, block.after)}
        ends |= {number for step in self.steps for number in (step.before, step.core, step.after)}
        ends |= {number for row in self.rows for number in (row.product, row.after)}
        for slope in (slope for part in (*self.rows, *self.blocks) for slope in part.slopes):
            made = {number for operation in slope.operations for number in operation.outputs}
            ends |= {number for operation in slope.operations for number in operation.inputs} - made
            ends.add(slope.after)
        return frozenset(ends)


def find_chain(graph: Graph, parameters: Any, made: Iterable[int] = ()) -> Chain:
    """The longest chain of blocks in a traced model; of none where no product with a parameter lies on the way.

    Args:
        graph: The model, from `trace`.
        parameters: What it was traced with, for the names of its leaves.
        made: The values that are the model's outputs, where the graph goes on to its loss; by default all outputs.
    """
    paths = Paths(graph)
    layered = [number for number, score in paths.score.items() if score and paths.floating(number)]
    # An output that holds something of each example ends the chain; else its last matrix does, before losses and means.
    made = tuple(made) or graph.outputs
    outputs = [number for number in made if number in layered and graph.shapes[number].ndim]
    if outputs:
        end = max(outputs, key=lambda number: (*paths.reach(number), -number))
    else:
        # Of a whole loss: the end of the longest way.
        end = max(layered, key=lambda number: (*paths.reach(number)[::-1], -number), default=-1)
    start, steps = paths.steps(None, end) if layered else (-1, [])
    if not steps:
        return Chain(graph, -1, (), (), ())
    steps = _numbered(steps)
    names = names_of(parameters)
    blocks: list[Block] = []
    for index in range(steps[-1].block + 1):
        own = [step for step in steps if step.block == index]
        inside = list(paths.between(own[0].before, own[-1].after))
        matrices = sorted({leaf for operation in inside for leaf in paths.matrices(operation)})
        recurrences = tuple(operation.outputs[0] for operation in inside if operation.recurrent)
        name = name_of([names[leaf] for leaf in matrices], root_of(names))
        slopes = paths.slopes(own[0].before, own[-1].after)
        blocks.append(Block(name, own[0].before, own[-1].after, tuple(matrices), recurrences, slopes))
    rows = rows_of(paths, names, made, [(block.before, block.after) for block in blocks])
    steps = paths.with_nested(steps)
    root, graph = _isolated(graph, start, paths.ancestors[end])
    return Chain(graph, root, tuple(_moved(_distinct(blocks), start, root)), tuple(_moved(steps, start, root)), rows)


def _moved(parts: Iterable[Any], start: int, root: int) -> Iterator[Any]:
    """Blocks or steps, with those that start at the chain's start starting at its copy."""
    for part in parts:
        if part.before == start:
            part = part._replace(before=root) if isinstance(part, Step) else replace(part, before=root)
        yield part


def _numbered(steps: Sequence[Step]) -> list[Step]:
    """The steps with their blocks: every matrix begins one."""
    block, numbered = -1, []
    for step in steps:
        block += step.kind in BEGIN
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


def _distinct(blocks: list[Block]) -> Iterator[Block]:
    """Blocks whose matrices lie in one stacked or shared parameter, numbered."""
    names = [block.name for block in blocks]
    for index, block in enumerate(blocks):
        same = names[:index].count(block.name)
        yield replace(block, name=f"{block.name}[{same}]") if names.count(block.name) > 1 else block
