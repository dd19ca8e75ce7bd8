"""What a diagnosis of one pass of a model holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from vae_jax.diagnosis.bound.codebook import Codebook
from vae_jax.diagnosis.bound.data_facts import DataFacts
from vae_jax.diagnosis.bound.reduction import Reduction
from vae_jax.diagnosis.bound.use_of_z import Plateau, UseOfZ
from vae_jax.diagnosis.faults.not_finite import NotFinite
from vae_jax.diagnosis.faults.stopped import Stopped
from vae_jax.diagnosis.judging import Stretch
from vae_jax.diagnosis.layers.attribution import Blame
from vae_jax.diagnosis.layers.readings import Layer
from vae_jax.diagnosis.verdict import Strength


@dataclass(frozen=True)
class Diagnosis:
    """One pass of a model and its loss, and what they say.

    Attributes:
        layers: In the order of the signal; those beside it last.
        loss: What was differentiated, in words.
        value: The loss's value.
        parts: The loss's own parts, by name.
        given: What was given to arguments that nobody named, a sentence each.
        examples: How many examples were looked at.
        ways: The ways that a gradient takes through the model, with how much of it arrives.
        verdict: One word of `vae_jax.diagnosis.verdict.WORDS`, for an optimizer that rescales, as Adam does.
        because: The figure that decided it; and the word under SGD, where that is another.
        strength: What became of the suite's networks with this verdict at their first step; None of a word that it has
            not tried.
        blame: The block, or the kind of block, that keeps the gradient from the first layer.
        blame_left_out: Why no single block was asked; empty where they were.
        kind_factors: How many times more comes back with all steps of a kind replaced, by kind; empty where the
            gradient arrives.
        not_finite: Values that are no numbers, the first one first.
        stopped: Operations at which the gradient ends.
        asleep: Parameters that are exactly zero; the layers are read as if a few steps had been taken.
        data: What the batch says of itself.
        likelihood: What the loss compares the reconstruction with, by name; empty where that is none that is known.
        target: The least and the largest number of that.
        squashed: "softmax" or "sigmoid" where the loss takes one of what is one already; else empty.
        reduction: How much a pixel and a unit weigh.
        free_bits: The share of units whose KL term is flat here.
        uses: What the decoder makes of each latent.
        reconstruction_share: Of dL/dh at the encoder's last hidden layer, what comes from the reconstruction.
        plateau: What a model reaches that knows the data's mean alone.
        codebooks: What was read of quantisers.
        mixed: "loss" or "model", or both, where what is made of one example depends on another.
        output_difference: Largest difference between the watched model's outputs and its own, relative to the largest
            entry.
        gradient_difference: The same of its parameters' gradient.
        differs_compiled: Whether the whole compiled program gives finite numbers where its operations, one by one, do
            not, or the contrary.
    """

    layers: tuple[Layer, ...]
    loss: str
    value: float
    parts: Mapping[str, float]
    given: tuple[str, ...]
    examples: int
    ways: tuple[Stretch, ...]
    verdict: str
    because: str
    strength: Strength | None
    blame: Blame
    blame_left_out: str
    kind_factors: Mapping[str, float]
    not_finite: tuple[NotFinite, ...]
    stopped: tuple[Stopped, ...]
    asleep: tuple[str, ...]
    data: DataFacts | None
    likelihood: str
    target: tuple[float, float] | None
    squashed: str
    reduction: Reduction | None
    free_bits: float
    uses: tuple[UseOfZ, ...]
    reconstruction_share: float | None
    plateau: Plateau | None
    codebooks: tuple[Codebook, ...]
    mixed: tuple[str, ...]
    output_difference: float
    gradient_difference: float
    differs_compiled: bool
