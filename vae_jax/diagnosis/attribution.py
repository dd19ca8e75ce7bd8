"""Which block, or which kind of block, keeps the gradient from the first layer: found by replacing each in turn."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vae_jax.diagnosis.chain import KINDS, Chain
from vae_jax.diagnosis.graph import Rewrite, ThroughTime
from vae_jax.diagnosis.ratios import quotient
from vae_jax.diagnosis.straight_through import straight_through

FADED = 1e-2
"""dL/dx at what the first layer is given over dL/dh at the last block's output, below which it is asked who took it. No
verdict: what a model learns all the same depends on its optimizer."""

GROWN = 1e2
"""The same, above which it is asked who made it so large."""

STANDS_OUT = 10.0
"""A block is to blame if replacing it changes what comes back at the first layer this many times more than replacing
any other; a kind of block, if replacing it changes that this many times."""


class Arrived(NamedTuple):
    """|dL/dx| at what the first block is given; NaN where a map cannot be replaced.

    Attributes:
        untouched: As the model is.
        end: |dL/dh| at the last block's output, where the gradient sets out.
        blocks: With each block's backward Jacobian replaced by the identity.
        blocks_forward: With each block's forward map replaced by the identity, where shapes allow.
        steps: With each step's backward Jacobian replaced.
        kinds: With the backward Jacobians of all steps of a kind replaced, in the order of `KINDS`.
        kinds_forward: With the forward maps of all steps of a kind replaced, where shapes allow.
    """

    untouched: Float[Array, ""]
    end: Float[Array, ""]
    blocks: Float[Array, " blocks"]
    blocks_forward: Float[Array, " blocks"]
    steps: Float[Array, " steps"]
    kinds: Float[Array, " kinds"]
    kinds_forward: Float[Array, " kinds"]


class Blame(NamedTuple):
    """The block, or the kind of step, that keeps the gradient from the first layer.

    Attributes:
        block: The block's name; empty if no block stands out.
        kind: The kind of step: of the block's own the one that does most, or the kind that does it everywhere; empty
            if nothing is to blame.
        factor: How many times more (or, of a gradient that has exploded, less) comes back without it.
    """

    block: str
    kind: str
    factor: float


def arrivals(chain: Chain, loss: Callable[[Any], Float[Array, ""]], parameters: Any, batch: Any) -> Arrived:
    """The gradients that come back at the first layer, with every block and every kind of block replaced in turn.

    Backward replaced: the forward pass is unchanged, the gradient passes a block as if it were the identity (where a
    block changes the size, each example's identity is cut or padded with zeros). One function of one vector of gates,
    so one program, however many blocks there are. Pure: the caller may compile it.

    Args:
        chain: The model's blocks.
        loss: From the model's result to a number.
        parameters: The model's.
        batch: Its input.

    Source:
        The straight-through identity: Bengio, Leonard & Courville 2013, arXiv:1308.3432.
    """
    blocks, steps = len(chain.blocks), len(chain.steps)
    own = jnp.eye(blocks + steps, dtype=bool)
    kinds = jnp.asarray([[False] * blocks + [step.kind == kind for step in chain.steps] for kind in KINDS])
    backward = jnp.concatenate([jnp.zeros((1, blocks + steps), bool), own, kinds])
    forward = jnp.concatenate([own[:blocks], kinds])
    through_time = jnp.arange(len(backward)) == 1 + blocks + steps + KINDS.index("recurrence")
    shape, end = chain.graph.shapes[chain.root], chain.graph.shapes[chain.blocks[-1].after]

    def gradient(gates: tuple[Array, Array, Array]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        def tapped(tap: Array, end_tap: Array) -> Float[Array, ""]:
            rewrites, time = _gated(chain, *gates)
            rewrites[chain.root] = lambda values: values[chain.root] + tap
            last = chain.blocks[-1].after
            gated = rewrites.get(last, lambda values: values[last])
            rewrites[last] = lambda values: gated(values) + end_tap
            return loss(chain.graph.evaluate(parameters, batch, rewrites, time)[0])

        taps = jnp.zeros(shape.shape, shape.dtype), jnp.zeros(end.shape, end.dtype)
        root, last = jax.grad(tapped, (0, 1))(*taps)
        return _norm(root), _norm(last)

    rows = (
        jnp.concatenate([backward, jnp.zeros_like(forward)]),
        jnp.concatenate([jnp.zeros_like(backward), forward]),
        jnp.concatenate([through_time, jnp.zeros((len(forward),), bool)]),
    )
    norms, ends = jax.lax.map(gradient, rows)
    pieces = jnp.split(norms, list(_sums([1, blocks, steps, len(KINDS), blocks])))
    untouched, by_block, by_step, by_kind, by_block_forward, by_kind_forward = pieces
    replaced = jnp.asarray([_fits(chain, block.before, block.after) for block in chain.blocks])
    same = jnp.asarray([_same(chain, block.before, block.after) for block in chain.blocks])
    present = jnp.asarray([any(step.kind == kind for step in chain.steps) for kind in KINDS])
    return Arrived(
        untouched[0], ends[0], jnp.where(replaced, by_block, jnp.nan), jnp.where(same, by_block_forward, jnp.nan),
        by_step, jnp.where(present, by_kind, jnp.nan), jnp.where(present, by_kind_forward, jnp.nan),
    )  # fmt: skip


def blame(chain: Chain, arrived: Arrived) -> Blame:
    """The block that stands out, else the kind of block that does most, else nobody.

    Nobody is to blame for a gradient that arrives: one that is, at the first block, not less than `FADED` and
    not more than `GROWN` of what set out from the last.
    """
    start, end = float(arrived.untouched), float(arrived.end)
    ratio = quotient(start, end)
    if end == 0 or FADED <= ratio <= GROWN:
        return Blame("", "", 1.0)
    lost = ratio < FADED

    def gains(norms: Iterable[Any]) -> list[float]:
        return [quotient(float(norm), start) if lost else quotient(start, float(norm)) for norm in norms]

    blocks = [-1.0 if math.isnan(gain) else gain for gain in gains(arrived.blocks)]
    best = max(range(len(blocks)), key=blocks.__getitem__)
    others = [gain for index, gain in enumerate(blocks) if index != best and gain >= 0]
    if others and blocks[best] >= STANDS_OUT * max(others):
        own = [index for index, step in enumerate(chain.steps) if step.block == best]
        by_step = gains(arrived.steps)
        return Blame(chain.blocks[best].name, chain.steps[max(own, key=by_step.__getitem__)].kind, blocks[best])
    kinds = [-1.0 if math.isnan(gain) else gain for gain in gains(arrived.kinds)]
    best = max(range(len(kinds)), key=kinds.__getitem__)
    return Blame("", KINDS[best], kinds[best]) if kinds[best] >= STANDS_OUT else Blame("", "", 1.0)


def _gated(
    chain: Chain, backward: Array, forward: Array, time: Array
) -> tuple[dict[int, Rewrite], dict[int, ThroughTime]]:
    """The rewrites of values and of recurrences, given a gate for each block and then each step."""
    blocks = len(chain.blocks)
    maps: dict[int, list[tuple[int, int]]] = {}
    # A step before the block that ends with it.
    for index, step in enumerate(chain.steps):
        maps.setdefault(step.after, []).append((step.before, blocks + index))
    for index, block in enumerate(chain.blocks):
        maps.setdefault(block.after, []).append((block.before, index))

    def rewrite(after: int, gates: Sequence[tuple[int, int]]) -> Rewrite:
        def replaced(values: Any) -> Array:
            value = values[after]
            for before, gate in gates:
                if _fits(chain, before, after):
                    value = straight_through(backward[gate], values[before], value)
                if _same(chain, before, after):
                    value = jnp.where(forward[gate], values[before], value)
            return value

        return replaced

    scans = {
        operation.outputs[0]: ThroughTime((None,) * len(operation.recurrent.states), time)
        for operation in chain.graph.operations
        if operation.recurrent
    }
    return {after: rewrite(after, gates) for after, gates in maps.items()}, scans


def _same(chain: Chain, before: int, after: int) -> bool:
    one, other = chain.graph.shapes[before], chain.graph.shapes[after]
    return one.shape == other.shape and one.dtype == other.dtype


def _fits(chain: Chain, before: int, after: int) -> bool:
    one, other = chain.graph.shapes[before].shape, chain.graph.shapes[after].shape
    return one == other or (bool(one) and bool(other) and one[0] == other[0] and bool(math.prod(one + other)))


def _norm(gradient: Array) -> Float[Array, ""]:
    # Scaled by its largest entry first: squares below 1e-38 underflow in float32.
    scale = jnp.maximum(jnp.max(jnp.abs(gradient)), jnp.finfo(gradient.dtype).tiny)
    return scale * jnp.sqrt(jnp.sum((gradient / scale) ** 2))


def _sums(sizes: Sequence[int]) -> list[int]:
    return [sum(sizes[: index + 1]) for index in range(len(sizes))]
