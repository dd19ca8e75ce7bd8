"""Likelihoods: log p(x|z) summed over the data's dimensions, those that count, in nats."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from vae_jax.models.presentations import AsStored, Binarised, DrawnSymbols, Presentation

Images = Float[Array, "batch ..."]
Outputs = Float[Array, "batch ..."]
Mask = Bool[Array, "batch ..."] | None

# Pixels that are never (or always) lit in training are given this much doubt: without it their logit is infinite.
# The reference implementation of Burda et al. 2016 clips the same way.
_DOUBT = 1e-3


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
        return jax.scipy.special.logit(jnp.clip(mean, _DOUBT, 1 - _DOUBT))


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
        return jnp.tile(jnp.log(jnp.maximum(mean[: self.symbols], _DOUBT)), self.slots)


def _over_entries(log_prob: Float[Array, "batch ..."], mask: Mask) -> Float[Array, " batch"]:
    return log_prob.sum(axis=tuple(range(1, log_prob.ndim)), where=mask)
