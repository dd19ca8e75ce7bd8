"""Every matrix of a traced model with what follows it: the rows of a diagnosis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax

from vae_jax.diagnosis.tracing.paths import Paths, Slope


@dataclass(frozen=True)
class Row:
    """A matrix and what follows it, up to where its values split up or meet others.

    Attributes:
        name: The path of the parameters that feed it.
        product: Its own output.
        after: Where it ends: h.
        matrices: Which of the parameters' leaves are its matrices, by place.
        recurrence: Of a scan over time its first output; else None.
        block: Which of the chain's blocks it lies in; None of one beside the chain.
        kinds: The kinds of steps after its matrix.
        slopes: Its activations that act on every entry alone.
    """

    name: str
    product: int
    after: int
    matrices: tuple[int, ...]
    recurrence: int | None
    block: int | None
    kinds: tuple[str, ...]
    slopes: tuple[Slope, ...]


def rows_of(
    paths: Paths, names: Sequence[tuple[str, ...]], made: Iterable[int], blocks: Sequence[tuple[int, int]]
) -> tuple[Row, ...]:
    """The rows of a graph, in the order in which they run.

    Args:
        paths: The graph's.
        names: The path of each of the parameters' leaves.
        made: The model's outputs; what follows them is the loss.
        blocks: Where each block of the chain starts and ends.
    """
    graph = paths.graph
    inside = _before(paths, [number for number in made if number in graph.signal and number in paths.merge])
    rows = []
    for index, operation in enumerate(graph.operations):
        leaves = paths.matrices(operation) if graph.signal.intersection(operation.inputs) else frozenset()
        ends = [number for number in operation.outputs if paths.floating(number) and number in paths.merge]
        if not leaves or not ends:
            continue
        # Of what a recurrence hands on, all its steps rather than its last state.
        product = max(ends, key=lambda number: _size(graph.shapes[number].shape))
        after, kinds, slopes = _followed(paths, product, inside)
        recurrence = operation.outputs[0] if operation.recurrent else None
        block = next((b for b, (before, end) in enumerate(blocks) if _between(paths, index, before, end)), None)
        name = name_of([names[leaf] for leaf in sorted(leaves)], root_of(names))
        rows.append(Row(name, product, after, tuple(sorted(leaves)), recurrence, block, kinds, slopes))
    return tuple(_distinct(rows))


def _before(paths: Paths, made: Sequence[int]) -> int:
    """A bit for each operation on a way to the model's outputs, or, of a whole loss, to its last matrix."""
    mask = 0
    graph = paths.graph
    if all(graph.shapes[number].ndim for number in made) and made:
        for number in made:
            mask |= paths.ancestors[number]
        return mask
    for operation in graph.operations:
        if paths.matrices(operation):
            for number in operation.inputs:
                mask |= paths.ancestors.get(number, 0)
    return mask


def _between(paths: Paths, index: int, before: int, end: int) -> bool:
    return bool((paths.ancestors[end] & ~paths.ancestors[before]) >> index & 1)


def _followed(paths: Paths, product: int, inside: int) -> tuple[int, tuple[str, ...], tuple[Slope, ...]]:
    """Where what follows a matrix ends; the kinds of steps on the way; and which of them are activations by entry."""
    after, kinds, slopes = product, [], []
    while (reached := paths.follows(after)) is not None:
        way = list(paths.between(after, reached))
        mixes = any(paths.matrices(operation) or operation.recurrent for operation in way)
        one, other = paths.graph.shapes[after].shape, paths.graph.shapes[reached].shape
        if mixes or not paths.floating(reached) or not other or one[:1] != other[:1]:
            break
        kind = paths.kind(after, reached)
        in_model = all(inside >> paths.made[operation.outputs[0]] & 1 for operation in way)
        # Past the model's outputs is the loss; where those are not known, only a bias belongs to the last matrix.
        if not in_model and (kind != "linear" or one != other):
            break
        if kind != "linear":
            kinds.append(kind)
        if (slope := paths.slope(after, reached)) is not None:
            slopes.append(slope)
        after = reached
    return after, tuple(dict.fromkeys(kinds)), tuple(slopes)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _distinct(rows: Sequence[Row]) -> Iterable[Row]:
    names = [row.name for row in rows]
    for index, row in enumerate(rows):
        same = names[:index].count(row.name)
        yield replace(row, name=f"{row.name}[{same}]") if names.count(row.name) > 1 else row


def root_of(names: Sequence[tuple[str, ...]]) -> int:
    """How many parts all of a model's paths begin with that name nothing: Linen's collection."""
    return int(all(name[:1] == ("params",) and len(name) > 1 for name in names))


def names_of(parameters: Any) -> list[tuple[str, ...]]:
    """The path of each of the parameters' leaves."""
    leaves = jax.tree_util.tree_flatten_with_path(parameters)[0]
    return [tuple(jax.tree_util.keystr((key,), simple=True) for key in path) for path, _ in leaves]


def name_of(paths: Sequence[tuple[str, ...]], root: int = 0) -> str:
    """The path that a block's matrices share, without the name of the matrix itself.

    Args:
        paths: Of its matrices.
        root: How many parts all of the model's paths share, which name nothing.
    """
    paths = [path[root:] for path in paths]
    if len(paths) == 1:
        return "/".join(paths[0][:-1] or paths[0]) or "matrix"
    common = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    first = "/".join(paths[0][:-1] or paths[0])
    return "/".join(common) or f"{first} to {'/'.join(paths[-1][:-1] or paths[-1])}"
