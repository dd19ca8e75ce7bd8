"""Likelihoods: log p(x|z) summed over the data's dimensions, those that count, in nats."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from vae_jax.models.presentations import AsStored, Binarised, DrawnSymbols, Labelled, Presentation

Images = Float[Array, "batch ..."]
Outputs = Float[Array, "batch ..."]
Mask = Bool[Array, "batch ..."] | None

# Pixels that are never (or always) lit in training are given this much doubt: without it their logit is infinite.
# The reference implementation of Burda et al. 2016 clips the same way.
DOUBT = 1e-3


@runtime_checkable
class Likelihood(Protocol):
    """The meaning of a decoder's output."""

    def log_prob(self, outputs: Outputs, x: Images, mask: Mask = None) -> Float[Array, " batch"]:
        """log p(x | outputs) per example, in nats, of the entries that a mask lets count."""
        ...

    @property
    def presentation(self) -> Presentation:
        """How data that it is of are presented, where nothing else is said."""
        ...

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " outputs"]:
        """The outputs under which examples of this mean are likeliest; as many as a decoder must give."""
        ...

    def reconstruction(self, outputs: Outputs) -> Images:
        """The x that stands for these outputs: its mean, or of whole numbers the likeliest."""
        ...


@dataclass(frozen=True)
class Bernoulli:
    """Binary pixels with independent logits.

    Attributes:
        support: The least and the greatest number that stored examples may hold.
    """

    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @property
    def presentation(self) -> Presentation:
        return Binarised()

    def log_prob(self, outputs: Images, x: Images, mask: Mask = None) -> Float[Array, " batch"]:
        return _over_entries(-optax.sigmoid_binary_cross_entropy(outputs, x), mask)

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " data"]:
        return jax.scipy.special.logit(jnp.clip(mean, DOUBT, 1 - DOUBT))

    def reconstruction(self, outputs: Images) -> Images:
        return jax.nn.sigmoid(outputs)


@dataclass(frozen=True)
class Gaussian:
    """Real data around the outputs with one fixed standard deviation, its normaliser included."""

    standard_deviation: float = 1.0

    @property
    def presentation(self) -> Presentation:
        return AsStored()

    def log_prob(self, outputs: Images, x: Images, mask: Mask = None) -> Float[Array, " batch"]:
        return _over_entries(jax.scipy.stats.norm.logpdf(x, outputs, self.standard_deviation), mask)

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " data"]:
        return mean

    def reconstruction(self, outputs: Images) -> Images:
        return outputs


@dataclass(frozen=True)
class Recall:
    """Sequences of symbols, each one of several, of which the first must come back in every one of some slots.

    A slot has a logit for each symbol and knows nothing of the other slots.

    Attributes:
        symbols: How many there are.
        slots: How often the first one must come back.
        support: The least and the greatest number that stored examples may hold.
    """

    support: ClassVar[tuple[float, float]] = (0.0, 1.0)
    symbols: int
    slots: int

    @property
    def presentation(self) -> Presentation:
        return DrawnSymbols(self.symbols)

    def log_prob(self, outputs: Outputs, x: Images, mask: Mask = None) -> Float[Array, " batch"]:
        first = x[:, None, : self.symbols]
        logits = outputs.reshape(-1, self.slots, self.symbols)
        return jnp.sum(first * jax.nn.log_softmax(logits), axis=(1, 2))

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " outputs"]:
        return jnp.tile(jnp.log(jnp.maximum(mean[: self.symbols], DOUBT)), self.slots)

    def reconstruction(self, outputs: Outputs) -> Float[Array, "batch outputs"]:
        return jax.nn.softmax(outputs.reshape(-1, self.slots, self.symbols)).reshape(outputs.shape)


@dataclass(frozen=True)
class LearntGaussian:
    """Real data around outputs that come with a variance of their own for every entry: the first half is the mean, the
    other the logarithm of the variance. A density may exceed 1, so that -log p may be negative.
    """

    @property
    def presentation(self) -> Presentation:
        return AsStored()

    def log_prob(self, outputs: Outputs, x: Images, mask: Mask = None) -> Float[Array, " batch"]:
        mean, log_var = jnp.split(outputs, 2, axis=-1)
        return _over_entries(jax.scipy.stats.norm.logpdf(x, mean, jnp.exp(0.5 * log_var)), mask)

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " outputs"]:
        return jnp.concatenate([mean, jnp.zeros_like(mean)])

    def reconstruction(self, outputs: Outputs) -> Images:
        return jnp.split(outputs, 2, axis=-1)[0]


@dataclass(frozen=True)
class SquaredError:
    """Minus the squared error: a Gaussian of variance 1/2 without its normaliser, as most tutorials train.

    Attributes:
        averaged: Whether it is averaged over entries, not summed: beside a KL term that is summed over units this is a
            beta of as many as there are entries.
        sigmoid: Whether outputs pass a sigmoid first, so that they lie in [0, 1] as intensities do.
    """

    averaged: bool = False
    sigmoid: bool = False

    @property
    def presentation(self) -> Presentation:
        return AsStored()

    def log_prob(self, outputs: Images, x: Images, mask: Mask = None) -> Float[Array, " batch"]:
        squares = -((x - self.reconstruction(outputs)) ** 2)
        if not self.averaged:
            return _over_entries(squares, mask)
        return squares.mean(axis=tuple(range(1, squares.ndim)), where=mask)

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " data"]:
        return jax.scipy.special.logit(jnp.clip(mean, DOUBT, 1 - DOUBT)) if self.sigmoid else mean

    def reconstruction(self, outputs: Images) -> Images:
        return jax.nn.sigmoid(outputs) if self.sigmoid else outputs


class UntoldSquares(SquaredError):  # noqa: N818
    """The same, for a network that nobody has told the mean of its targets: outputs start at zero, before a sigmoid."""

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " data"]:
        return jnp.zeros_like(mean)


@dataclass(frozen=True)
class Categorical:
    """Symbols, or classes, each one of several: outputs are logits, and targets whole numbers.

    Outputs have one axis more than targets, of as many entries as there are symbols.
    """

    @property
    def presentation(self) -> Presentation:
        return Labelled()

    def log_prob(self, outputs: Outputs, x: Int[Array, "batch ..."], mask: Mask = None) -> Float[Array, " batch"]:
        chosen = jnp.take_along_axis(jax.nn.log_softmax(outputs), x[..., None], axis=-1)[..., 0]
        return _over_entries(chosen, mask)

    def accuracy(self, outputs: Outputs, x: Int[Array, "batch ..."], mask: Mask = None) -> Float[Array, ""]:
        """Share of the targets that count of which the likeliest symbol is the right one."""
        return jnp.mean(jnp.argmax(outputs, axis=-1).astype(x.dtype) == x, where=mask, dtype=outputs.dtype)

    def output_bias(self, mean: Float[Array, " symbols"]) -> Float[Array, " symbols"]:
        # All the symbols that are never seen have no more doubt between them than one pixel has.
        return jnp.log(jnp.maximum(mean, DOUBT / len(mean)))

    def reconstruction(self, outputs: Outputs) -> Int[Array, "batch ..."]:
        return jnp.argmax(outputs, axis=-1).astype(jnp.int32)


def _over_entries(log_prob: Float[Array, "batch ..."], mask: Mask) -> Float[Array, " batch"]:
    return log_prob.sum(axis=tuple(range(1, log_prob.ndim)), where=mask)
