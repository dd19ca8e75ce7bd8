"""Which block, or which kind of block, keeps the gradient from the first layer: found by replacing each in turn."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from vae_jax.diagnosis.layers.chain import Chain
from vae_jax.diagnosis.layers.ratios import quotient
from vae_jax.diagnosis.tracing.passes import Passes, Value
from vae_jax.diagnosis.tracing.paths import KINDS, Step

FADED = 1e-2
"""dL/dx at what the first layer is given over dL/dh at the last block's output, below which it is asked who took it. No
verdict: what a model learns all the same depends on its optimizer."""

GROWN = 1e2
"""The same, above which it is asked who made it so large."""

STANDS_OUT = 10.0
"""A block is to blame if replacing it changes what comes back at the first layer this many times more than replacing
any other; a kind of block, if replacing it changes that this many times."""

MOST_SECONDS = 20.0
"""Blame that would take longer is left out."""


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


NOBODY = Blame("", "", 1.0)


class TooLongError(Exception):
    """To replace every block in turn would take longer than `MOST_SECONDS`."""


class Arrival:
    """The gradient that comes back at the first of some blocks, as it is and with blocks or steps replaced.

    Replaced: the forward pass is unchanged, and the gradient passes as if the block were the identity (where a block
    changes the size, each example's identity is cut or padded with zeros).

    Args:
        chain: The model's blocks.
        passes: Its passes.
        values: Of the forward pass.
        seeds: What arrives at which values, as 1 at the loss.
        first: The first of the blocks.
        last: The last of them.

    Source:
        The straight-through identity: Bengio, Leonard & Courville 2013, arXiv:1308.3432.
    """

    def __init__(
        self,
        chain: Chain,
        passes: Passes,
        values: Mapping[int, Value],
        seeds: Mapping[int, Value],
        first: int = 0,
        last: int | None = None,
    ):
        self.chain = chain
        self.blocks = chain.blocks[first : None if last is None else last + 1]
        self._first = first
        self._passes, self._values, self._seeds = passes, values, seeds
        self.untouched, self.end = self._norms({})
        began = time.perf_counter()
        # Compiled by now.
        self._norms({})
        self.seconds = time.perf_counter() - began

    def without(self, steps: Iterable[Any], *, through_time: bool = False) -> float:
        """|dL/dx| at what the first block is given with these blocks or steps replaced; NaN where none can be."""
        aside = {step.after: step.before for step in steps if self.fits(step.before, step.after)}
        return self._norms(aside, through_time)[0] if aside or through_time else math.nan

    def fits(self, before: int, after: int) -> bool:
        """Whether an identity can stand between two values: each example's, cut or padded."""
        one, other = self.chain.graph.shapes[before], self.chain.graph.shapes[after]
        sizes = math.prod(one.shape), math.prod(other.shape)
        alike = one.shape == other.shape or bool(one.shape and other.shape and one.shape[0] == other.shape[0])
        return alike and all(sizes) and self._passes.real(before) and self._passes.real(after)

    def own_steps(self, block: int) -> list[Step]:
        """The steps of one of these blocks."""
        return [step for step in self.chain.steps if step.block == self._first + block]

    def steps_of(self, kind: str) -> list[Step]:
        """All steps of a kind in these blocks."""
        places = range(self._first, self._first + len(self.blocks))
        # Of two that end together the wider one, which is found first.
        steps = [step for step in self.chain.steps if step.kind == kind and step.block in places]
        return list({step.after: step for step in reversed(steps)}.values())

    def _norms(self, aside: Mapping[int, int], through_time: bool = False) -> tuple[float, float]:
        pulled = self._passes.backward(self._values, self._seeds, aside, through_time=through_time, parameters=False)
        return norm(pulled.at.get(self.blocks[0].before)), norm(pulled.at.get(self.blocks[-1].after))


def norm(gradient: Value | None) -> float:
    """The Euclidean norm, in double precision, of a value that no gradient may have reached."""
    return 0.0 if gradient is None else float(np.linalg.norm(double(gradient)))


def double(values: Any) -> np.ndarray:
    """As float64, in which squares do not underflow; a complex number as its two parts."""
    array: Any = np.asarray(jax.device_get(values))
    if np.iscomplexobj(array):
        return np.stack([array.real, array.imag], axis=-1).astype(np.float64)
    return array.astype(np.float64)


def kind_factors(arrival: Arrival) -> dict[str, float]:
    """How many times more comes back with all steps of a kind replaced, for each kind that is there."""
    found = {}
    for kind in KINDS:
        steps, recurrent = arrival.steps_of(kind), kind == "recurrence"
        if steps:
            found[kind] = quotient(arrival.without(steps, through_time=recurrent), arrival.untouched)
    return found


def block_factors(arrival: Arrival, most_seconds: float = MOST_SECONDS) -> list[float | None]:
    """How many times more comes back with each block replaced; None of one that cannot be.

    Raises:
        TooLongError: If that would take longer.
    """
    if arrival.seconds * len(arrival.blocks) > most_seconds:
        raise TooLongError
    factors = [quotient(arrival.without([block]), arrival.untouched) for block in arrival.blocks]
    return [None if math.isnan(factor) else factor for factor in factors]


def blame(arrival: Arrival, blocks: Sequence[float | None], kinds: Mapping[str, float]) -> Blame:
    """The block that stands out, else the kind of block that does most, else nobody.

    Nobody is to blame for a gradient that arrives: one that is, at the first block, not less than `FADED` and
    not more than `GROWN` of what set out from the last.

    Args:
        arrival: What came back.
        blocks: Of `block_factors`; empty where they were left out.
        kinds: Of `kind_factors`.
    """
    ratio = quotient(arrival.untouched, arrival.end)
    if arrival.end == 0 or FADED <= ratio <= GROWN:
        return NOBODY
    lost = ratio < FADED

    def gain(factor: float | None) -> float:
        if factor is None or math.isnan(factor):
            return -1.0
        return factor if lost else quotient(1.0, factor)

    gains = [gain(factor) for factor in blocks]
    best = max(range(len(gains)), key=gains.__getitem__, default=0)
    others = [each for index, each in enumerate(gains) if index != best and each >= 0]
    if others and gains[best] >= STANDS_OUT * max(others):
        steps = arrival.own_steps(best)
        own = [gain(quotient(arrival.without([step]), arrival.untouched)) for step in steps]
        return Blame(arrival.blocks[best].name, steps[max(range(len(own)), key=own.__getitem__)].kind, gains[best])
    by_kind = {kind: gain(factor) for kind, factor in kinds.items()}
    kind = max(by_kind, key=lambda kind: by_kind[kind], default="")
    return Blame("", kind, by_kind[kind]) if kind and by_kind[kind] >= STANDS_OUT else NOBODY
