"""The verdict on a training: one word, and the figure that decided it.

Norms alone do not tell: a gradient may arrive in full and carry nothing, because the layers below have made all
examples alike, or because the code that it should teach is ignored.
"""

import math
from dataclasses import dataclass

VANISHED = 1e-2
"""rms dL/dh at the encoder's first block over its last, below which the gradient has vanished on its way."""

EXPLODED = 1e2
"""The same ratio, above which it has exploded."""

PARALLEL = 0.8
"""Mean cosine between examples in a tower's last hidden layer above which it hardly tells any two apart: over 80 % of
its mean square is the same for all."""

FLAT = 0.9
"""Share of (example, unit) with a flat activation in any one layer, above which that layer is saturated; half of
ReLU's are flat by design."""

UNUSED_NATS = 0.1
"""KL divergence per example below which the code says nothing."""

ALIVE = 0.1
"""Share of the gradient at the encoder's last hidden layer that must come from the reconstruction for that path to be
alive; the rest is the KL term's pull onto the prior."""

LIMITS = {"saturated": FLAT, "vanishing": VANISHED, "exploding": EXPLODED, "dead signal": PARALLEL}
"""What is read off the start alone: of each word the limit of its rule, in the order in which they are tried."""

RULES = (
    f"healthy: z is used at the end (an active unit, and KL of at least {UNUSED_NATS:g} nats), whatever the start was",
    f"saturated: at the start the activation is flat for over {FLAT:.0%} of a layer's examples and units",
    f"vanishing: at the start rms dL/dh at the first block is below {VANISHED:g} of that at the last",
    f"exploding: at the start it is above {EXPLODED:g} times that at the last",
    f"dead signal: these norms are healthy, but at the start the mean cosine c between examples in the encoder's last "
    f"hidden layer is above {PARALLEL:g}: over that share of the signal is the same for all",
    f"collapsed: none of these, and z is not used; the path from the reconstruction is alive where, at the end, it "
    f"gives over {ALIVE:.0%} of the gradient at the encoder's last hidden layer; of a model without z, healthy",
)
"""The rules in words, in the order in which they are tried."""

ADDRESSED_BY = {
    "vanishing": ("activation", "residual", "normalization", "initialization"),
    "exploding": ("initialization", "normalization", "residual", "gradient", "schedule"),
    "saturated": ("initialization", "normalization", "activation"),
    "dead signal": ("activation", "residual", "initialization", "kl"),
    "collapsed": ("kl", "schedule", "regularization"),
    "healthy": (),
}
"""Families of remedies that act on what a verdict names."""


@dataclass(frozen=True)
class Code:
    """How a model's code z is used, at the end.

    Attributes:
        kl_nats: KL divergence per example.
        active_units: Units of z whose posterior mean varies over examples.
        reconstruction_share: Share of the gradient at the encoder's last hidden layer that comes from the
            reconstruction.
    """

    kl_nats: float
    active_units: int
    reconstruction_share: float


@dataclass(frozen=True)
class Verdict:
    """One word and what decided it."""

    word: str
    because: str


def ratio_of_norms(first: float, last: float) -> float:
    """rms dL/dh at the first block over that at the last; 0 where none comes back at the first, whatever the last's."""
    return 0.0 if first == 0 else quotient(first, last)


def quotient(one: float, other: float) -> float:
    """One number over another: infinite over zero, 1 where both are zero, and no number where one is none."""
    if other == 0:
        return 1.0 if one == 0 else one * math.inf
    return one / other


def judge(
    gradient_ratio: float | None, mean_cosine: float | None, flat: float | None, code: Code | None = None
) -> Verdict:
    """The first rule of `RULES` that holds.

    Args:
        gradient_ratio: rms dL/dh at the first block over the last, at the start; of a gradient that has overflowed,
            not a number. Before the first block of a tower there is its input layer, which does not count; `diagnose`,
            whose blocks go from one matrix to the next, begins with it. None where there is no way from one to another.
        mean_cosine: c between examples in the last hidden layer of the encoder, at the start; None where it has none.
        flat: The largest share of (example, unit) in any layer whose activation is flat, at the start; None where
            there is no activation.
        code: How z is used; None of a model without one.
    """
    used = code is not None and code.active_units > 0 and code.kl_nats >= UNUSED_NATS
    if code is not None and used:
        return Verdict("healthy", f"{code.active_units} active units and a KL of {code.kl_nats:.2f} nats")
    if flat is not None and flat > FLAT:
        return Verdict("saturated", f"{flat:.0%} of a layer's activations are flat")
    if gradient_ratio is None:
        arrives = "there is no gradient ratio"
    elif gradient_ratio == 0:
        return Verdict("vanishing", "no gradient at all comes back at the first block")
    elif gradient_ratio < VANISHED:
        return Verdict("vanishing", f"rms dL/dh at the first block is {gradient_ratio:.1e} of the last's")
    elif not gradient_ratio <= EXPLODED:
        return Verdict("exploding", f"rms dL/dh at the first block is {gradient_ratio:.1e} times the last's")
    else:
        arrives = f"the gradient ratio is {gradient_ratio:.2g}"
    if mean_cosine is not None and mean_cosine > PARALLEL:
        return Verdict("dead signal", f"{arrives}, but c is {mean_cosine:.3f}{_path(code)}")
    if code is not None:
        cosine = "" if mean_cosine is None else f" and c {mean_cosine:.2f}"
        return Verdict("collapsed", f"{arrives}{cosine}, but z has {code.active_units} active units{_path(code)}")
    return Verdict("healthy", arrives + ("" if mean_cosine is None else f", c is {mean_cosine:.2f}"))


def _path(code: Code | None) -> str:
    if code is None:
        return ""
    state = "alive" if code.reconstruction_share > ALIVE else "dead"
    return f"; at the end the path from the reconstruction is {state}, {code.reconstruction_share:.0%} of the gradient"
