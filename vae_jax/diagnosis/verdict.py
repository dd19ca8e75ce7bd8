"""The verdict on a training: one word, and the figure that decided it.

A gradient that arrives in full may still carry nothing: where it says the same to all examples, it moves biases alone.
What a word foretells was measured: `python -m bench run --suite foretell`.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Limit(NamedTuple):
    """Where a rule begins to hold.

    Attributes:
        plain: Under an optimizer whose steps are as small as the gradient: SGD, with momentum or without.
        rescaling: Under one that divides each coordinate's step, or each layer's, by its own size, as Adam does.
    """

    plain: float
    rescaling: float

    def under(self, rescales: bool) -> float:
        """The limit under an optimizer that does, or does not, rescale."""
        return self.rescaling if rescales else self.plain


LIMITS = {
    "saturated": Limit(0.9, 0.9),
    "vanishing": Limit(0.01, 1e-4),
    "exploding": Limit(100.0, 100.0),
    "dead signal": Limit(0.05, 0.15),
}
"""What is read off the start alone: of each word the limit of its rule, in the order in which they are tried.

The largest share of (example, unit) in any one layer with a flat activation; rms dL/dh at the encoder's first block
over its last, below and above; the share of dL/dh at the encoder's last hidden layer that is the same for all examples,
in a model whose code a KL term pulls to the prior meanwhile.
"""


class Strength(NamedTuple):
    """What became of the networks that a rule named at their first step, in the suite `foretell`.

    Attributes:
        left: How many left the plateau all the same.
        networks: Of how many.
    """

    left: int
    networks: int


STRENGTHS = {
    "saturated": (Strength(0, 4), Strength(0, 0)),
    "vanishing": (Strength(2, 38), Strength(2, 19)),
    "exploding": (Strength(0, 1), Strength(0, 0)),
    "dead signal": (Strength(1, 31), Strength(2, 24)),
}
"""Of each rule that named some, under an optimizer that rescales nothing and under one that does."""

UNUSED_NATS = 0.1
"""KL divergence per example below which the code says nothing."""

ALIVE = 0.1
"""Share of the gradient at the encoder's last hidden layer that must come from the reconstruction for that path to be
alive; the rest is the KL term's pull onto the prior."""


def _said(word: str, form: str = "g") -> str:
    plain, rescaling = LIMITS[word]
    return f"{plain:{form}}" + ("" if plain == rescaling else f", or {rescaling:{form}} where the optimizer rescales,")


def _foretells(word: str) -> str:
    plain, rescaling = STRENGTHS[word]
    return (
        f"of {plain.networks} such networks of the suite foretell {plain.left} left the plateau, and of "
        f"{rescaling.networks} whose optimizer rescales {rescaling.left}"
    )


RULES = (
    f"healthy: z is used at the end (an active unit, and KL of at least {UNUSED_NATS:g} nats), whatever the start was",
    f"saturated: at the start the activation is flat for over {_said('saturated', '.0%')} of a layer's examples and "
    "units",
    f"vanishing: at the start rms dL/dh at the first block is below {_said('vanishing')} of that at the last; an "
    "optimizer that rescales each coordinate's step, as Adam does, or each layer's, takes large steps along a small "
    f"gradient; {_foretells('vanishing')}",
    f"exploding: at the start it is above {_said('exploding')} times that at the last",
    f"dead signal: these norms are healthy, but at the start over {_said('dead signal', '.0%')} of the mean square of "
    "dL/dh at the encoder's last hidden layer is the same for all examples, while a KL term pulls their codes together "
    f"to the prior; {_foretells('dead signal')}; of a model without a KL term it foretells nothing",
    f"collapsed: none of these, and z is not used; the path from the reconstruction is alive where, at the end, it "
    f"gives over {ALIVE:.0%} of the gradient at the encoder's last hidden layer; of a model without z, healthy",
)
"""The rules in words, in the order in which they are tried."""

PASS_RULES = (
    "not finite: a parameter, the batch, the loss or a gradient holds a value that is no number; a mask of -inf is "
    "none of it until something becomes NaN",
    "passes no gradient: none comes back at the first layer, and an operation without a derivative stands on every way "
    "to it; or most of it has become 0 in float16",
    f"saturated: over {LIMITS['saturated'].rescaling:.0%} of a hidden layer lies where its activation is flat and not "
    "0, or as many of its units are flat for every example",
    f"vanishing: rms dL/dh at the first hidden layer (of encoder and decoder each, where z is known), or at a "
    f"recurrence's first step, is below {LIMITS['vanishing'].rescaling:g} of that at the last; "
    f"{_foretells('vanishing')}",
    f"exploding: it is above {LIMITS['exploding'].rescaling:g} times that at the last",
    f"dead signal: over {LIMITS['dead signal'].rescaling:.0%} of what the reconstruction says to the encoder's last "
    f"hidden layer is the same for all examples, once the output's bias has learnt the data's mean; "
    f"{_foretells('dead signal')}. Or a quantiser uses one or two of its codes",
    f"collapsed: the decoder's output does not move with z; or the KL is below {UNUSED_NATS:g} nats, no unit is "
    "active, and the reconstruction is where a model without z ends",
    "healthy: none of these",
)
"""The rules of a diagnosis, which sees one pass, in the order in which they are tried."""

WORDS = tuple(rule.partition(":")[0] for rule in PASS_RULES)
"""The words of a diagnosis."""


@dataclass(frozen=True)
class Code:
    """How a model's code z is used, at the end.

    Attributes:
        kl_nats: KL divergence per example.
        active_units: Units of z whose posterior mean varies over examples.
        reconstruction_share: Share of the gradient at the encoder's last hidden layer that comes from the
            reconstruction; None where that was not read.
    """

    kl_nats: float
    active_units: int
    reconstruction_share: float | None


@dataclass(frozen=True)
class Verdict:
    """One word and what decided it."""

    word: str
    because: str


def judge(
    gradient_ratio: float | None,
    shared: float | None,
    flat: float | None,
    code: Code | None = None,
    *,
    rescales: bool,
) -> Verdict:
    """The first rule of `RULES` that holds.

    Args:
        gradient_ratio: rms dL/dh at the first block over the last, at the start; of a gradient that has overflowed,
            not a number. Before the first block of a tower there is its input layer, which does not count; `diagnose`,
            whose blocks go from one matrix to the next, begins with it. None where there is no way from one to another.
        shared: Share of the mean square of dL/dh that is the same for all examples, in the last hidden layer of the
            encoder, at the start; None where it has none.
        flat: The largest share of (example, unit) in any layer whose activation is flat, at the start; None where
            there is no activation.
        code: How z is used; None of a model without one, whose signal is never called dead.
        rescales: Whether the optimizer divides each coordinate's step, or each layer's, by its own size.
    """
    limits = {word: limit.under(rescales) for word, limit in LIMITS.items()}
    used = code is not None and code.active_units > 0 and code.kl_nats >= UNUSED_NATS
    if code is not None and used:
        return Verdict("healthy", f"{code.active_units} active units and a KL of {code.kl_nats:.2f} nats")
    if flat is not None and flat > limits["saturated"]:
        return Verdict("saturated", f"{flat:.0%} of a layer's activations are flat")
    if gradient_ratio is None:
        arrives = "there is no gradient ratio"
    elif gradient_ratio == 0:
        return Verdict("vanishing", "no gradient at all comes back at the first block")
    elif gradient_ratio < limits["vanishing"]:
        return Verdict("vanishing", f"rms dL/dh at the first block is {gradient_ratio:.1e} of the last's")
    elif not gradient_ratio <= limits["exploding"]:
        return Verdict("exploding", f"rms dL/dh at the first block is {gradient_ratio:.1e} times the last's")
    else:
        arrives = f"the gradient ratio is {gradient_ratio:.2g}"
    alike = "" if shared is None else f"{shared:.0%} of dL/dh is the same for all examples"
    if code is None:
        return Verdict("healthy", ", ".join(filter(None, (arrives, alike))))
    if shared is not None and shared > limits["dead signal"]:
        return Verdict("dead signal", f"{arrives}, but {alike}{_path(code)}")
    said = ", ".join(filter(None, (arrives, alike)))
    return Verdict("collapsed", f"{said}, but z has {code.active_units} active units{_path(code)}")


def _path(code: Code | None) -> str:
    if code is None or code.reconstruction_share is None:
        return ""
    state = "alive" if code.reconstruction_share > ALIVE else "dead"
    return f"; at the end the path from the reconstruction is {state}, {code.reconstruction_share:.0%} of the gradient"
