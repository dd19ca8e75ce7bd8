"""What a model is given and what it gives: pytrees of arrays, each with an axis of examples in front."""

from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float

Rows = Any
"""Stored examples: a pytree of arrays, each with an axis of examples in front."""

Noise = Any
"""All that a model draws of the standard normal in one pass: a pytree of arrays; empty where it draws nothing."""


class Batch(NamedTuple):
    """Examples as a step sees them; arrays of any shape, each with an axis of examples in front.

    Attributes:
        inputs: What the encoder is given.
        target: What the likelihood is of.
        mask: Which entries of the target count; None where all do.
        decoder_inputs: What the decoder is given beside z; None where nothing is.
    """

    inputs: Any
    target: Any
    mask: Any = None
    decoder_inputs: Any = None


class Latent(NamedTuple):
    """One latent of a model: its posterior N(mean, exp(log_var)) for every example, and a draw of it."""

    mean: Float[Array, "batch latent"]
    log_var: Float[Array, "batch latent"]
    z: Float[Array, "batch latent"]


class Forward(NamedTuple):
    """The results of one pass.

    Attributes:
        outputs: The likelihood's.
        latents: None of a model that draws no z.
        shuffled: The outputs where each example is given the z of another, for a model that may do without z: what it
            loses then is what z tells it. Given in evaluation, where it is read; None in training and of all others.
    """

    outputs: Float[Array, "batch ..."]
    latents: tuple[Latent, ...]
    shuffled: Float[Array, "batch ..."] | None = None


def examples(rows: Rows) -> int:
    """How many examples some rows are."""
    return len(jax.tree.leaves(rows)[0])
