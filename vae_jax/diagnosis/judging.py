"""The verdict on one pass: a word, the figure that decided it, and where."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from vae_jax.diagnosis.bound.codebook import Codebook
from vae_jax.diagnosis.bound.use_of_z import Plateau, UseOfZ
from vae_jax.diagnosis.faults.not_finite import NotFinite
from vae_jax.diagnosis.faults.stopped import Stopped
from vae_jax.diagnosis.layers.ratios import ratio_of_norms
from vae_jax.diagnosis.layers.readings import Layer
from vae_jax.diagnosis.verdict import LIMITS, UNUSED_NATS

AT_PLATEAU = 0.05
"""How far above the plateau a reconstruction may lie, as a share of it, and still be at it."""


class Stretch(NamedTuple):
    """A way that a gradient takes, and how much of it arrives.

    Attributes:
        name: encoder, decoder, model, or the name of a recurrence.
        first: The layer that the gradient reaches last; of a recurrence its first step.
        last: The layer that it sets out from; of a recurrence its last step.
        ratio: |dL/dh| at the first over that at the last.
        over_time: Whether it is one of a recurrence.
        blocks: The first and the last of the chain's blocks that it spans; None of one beside the chain.
    """

    name: str
    first: str
    last: str
    ratio: float
    over_time: bool
    blocks: tuple[int, int] | None

    @property
    def distance(self) -> float:
        """How far the ratio is from 1, either way."""
        return abs(math.log(self.ratio)) if 0 < self.ratio < math.inf else math.inf


class Judgement(NamedTuple):
    """A verdict.

    Attributes:
        word: One word of `vae_jax.diagnosis.verdict.WORDS`.
        because: The figure that decided it.
        stretch: Where a gradient fades or grows; None of any other word.
    """

    word: str
    because: str
    stretch: Stretch | None = None


def stretches(layers: Sequence[Layer], norms: Sequence[float], parts: Sequence[tuple[str, int, int]]) -> list[Stretch]:
    """The ways that a gradient takes through a model.

    Args:
        layers: As they were read.
        norms: |dL/dh| of each of the chain's blocks.
        parts: Each part's name, with its first block and its last hidden one.
    """
    names = {layer.block: layer.name for layer in layers if layer.whole}
    found = [
        Stretch(name, names[first], names[last], ratio_of_norms(norms[first], norms[last]), False, (first, last))
        for name, first, last in parts
        if last > first
    ]
    seen: set[tuple[float, ...]] = set()
    for layer in layers:
        if layer.over_time and layer.over_time not in seen:
            seen.add(layer.over_time)
            ends = layer.over_time[0], layer.over_time[-1]
            block = layer.block or 0, layer.block or 0
            found.append(Stretch(layer.name, "the first step", "the last", ratio_of_norms(*ends), True, block))
    return found


def encoder_way(norms: Mapping[str, float]) -> list[Stretch]:
    """The way through an encoder that is no part of the chain, if it has one.

    Args:
        norms: |dL/dh| of its hidden layers by their names, in order.
    """
    if len(norms) < 2:
        return []
    first, *_, last = norms
    return [Stretch("encoder", first, last, ratio_of_norms(norms[first], norms[last]), False, None)]


def judge_pass(
    layers: Sequence[Layer],
    hidden: Collection[str],
    ways: Sequence[Stretch],
    bad: Sequence[NotFinite],
    stopped: Sequence[Stopped],
    underflow: bool,
    codebooks: Sequence[Codebook],
    uses: Sequence[UseOfZ],
    reached: Plateau | None,
    shared: float | None,
    *,
    rescales: bool,
) -> Judgement:
    """The first rule that holds, of those that one pass can tell.

    Args:
        layers: As they were read.
        hidden: The names of those that are hidden without a block of the chain of their own.
        ways: The ways that the gradient takes.
        bad: Values that are no numbers.
        stopped: Operations at which the gradient ends.
        underflow: Whether most of the gradient has underflowed.
        codebooks: What was read of quantisers.
        uses: What was read of latents; none of a model without one, or of whose z nothing is known.
        reached: What a model reaches that knows the data's mean alone.
        shared: Of a model with a KL term, the share of dL/dh at the encoder's last hidden layer that is the same for
            all examples.
        rescales: Whether the optimizer divides each coordinate's step, or each layer's, by its own size.
    """
    limits = {word: limit.under(rescales) for word, limit in LIMITS.items()}
    if bad:
        return Judgement("not finite", _bad(bad[0]))
    if stopped:
        named = " and ".join(f"`{each.operation}`" + (f" at {each.line}" if each.line else "") for each in stopped)
        return Judgement("passes no gradient", f"{named} passes none on, and there is no other way")
    if underflow:
        return Judgement("passes no gradient", "most of it is too small for float16 and has become 0")
    last = max((layer.block for layer in layers if layer.block is not None), default=0)
    flat = [
        (max(layer.saturated_share or 0.0, layer.dead_share or 0.0), layer)
        for layer in layers
        if layer.name in hidden or (layer.block is not None and layer.block < last)
    ]
    share, worst = max(flat, key=lambda pair: pair[0], default=(0.0, None))
    if worst is not None and share > limits["saturated"]:
        of = "of its units are flat for every example" if share == worst.dead_share else "of it lies on a flat part"
        return Judgement("saturated", f"{share:.0%} {of}, in layer {worst.name}")
    for way in sorted(ways, key=lambda way: way.distance, reverse=True):
        own = f"{way.first}, the {way.name}'s first,"
        place = f"the first step of {way.name}, over time," if way.over_time else own
        other = f"at {way.last}"
        if way.ratio == 0:
            return Judgement("vanishing", f"no gradient at all comes back at {place}", way)
        if way.ratio < limits["vanishing"]:
            return Judgement("vanishing", f"rms dL/dh at {place} is {way.ratio:.1e} of that {other}", way)
        if not way.ratio <= limits["exploding"]:
            return Judgement("exploding", f"rms dL/dh at {place} is {way.ratio:.1e} times that {other}", way)
    for book in codebooks:
        if book.few:
            return Judgement(
                "dead signal", f"of {book.codes} codes {book.used} are used, so examples look alike after it"
            )
    arrives = "; ".join(f"the {way.name}'s gradient ratio is {way.ratio:.2g}" for way in ways if not way.over_time)
    alike = "" if shared is None else f"{shared:.0%} of dL/dh at the encoder's last hidden layer is the same for all"
    if shared is not None and shared > limits["dead signal"]:
        return Judgement("dead signal", f"{arrives or 'gradients arrive'}, but {alike}")
    unused = [_unused(use, reached) for use in uses]
    if unused and all(unused):
        return Judgement("collapsed", "; ".join(unused))
    if not layers:
        arrives = "no layer was found, as nothing multiplies the batch with a parameter"
    return Judgement(
        "healthy", "; ".join(filter(None, (arrives, alike))) or "there is no way for a gradient to fade on"
    )


def word_under_sgd(word: str, plain: str) -> str:
    """What is said of the word under SGD, where that is another."""
    return "" if word == plain else f"; under SGD, whose steps are as small as the gradient, {plain}"


def _unused(use: UseOfZ, reached: Plateau | None) -> str:
    """Why nothing is used of a latent; empty of one that is."""
    z = f"z{use.name}"
    if use.unused:
        return (
            f"the decoder does not use {z}: with another one its output moves by {use.moves:.1%} of the data's spread"
        )
    # One that has not been trained says nothing yet: it is far above what is reached without z.
    at_plateau = reached is not None and reached.own <= (1 + AT_PLATEAU) * reached.nats
    if use.kl_nats < UNUSED_NATS and not use.active and at_plateau:
        kl = f"a KL of {use.kl_nats:.2g} nats, no active unit"
        return f"{z} says nothing: {kl}, and the reconstruction is at the plateau of a model without z"
    return ""


def _bad(bad: NotFinite) -> str:
    if bad.what in ("parameter", "batch"):
        batch = f"the batch, in {bad.operation}," if bad.operation else "the batch"
        holder = f"parameter {bad.operation}" if bad.what == "parameter" else batch
        return f"{holder} holds {bad.count:,} of {bad.size:,} entries that are not finite"
    where = f" at {bad.line}" if bad.line else ""
    steps = "".join(f", in step {step}" for step in bad.steps)
    return f"the {bad.what} of `{bad.operation}`{where} is {bad.made}{steps}"
