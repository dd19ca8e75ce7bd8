"""Likelihoods: log p(x|z) summed over the data's dimensions, in nats."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

Images = Float[Array, "batch data"]
Outputs = Float[Array, "batch outputs"]

# Pixels that are never (or always) lit in training are given this much doubt: without it their logit is infinite.
# The reference implementation of Burda et al. 2016 clips the same way.
_DOUBT = 1e-3


@runtime_checkable
class Likelihood(Protocol):
    """The meaning of a decoder's output."""

    def log_prob(self, outputs: Outputs, x: Images) -> Float[Array, " batch"]:
        """log p(x | outputs) per example, in nats."""
        ...

    def observe(self, key: PRNGKeyArray, intensity: Images) -> Images:
        """One presentation of stored examples."""
        ...

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " outputs"]:
        """The outputs under which examples of this mean are likeliest; as many as a decoder must give."""
        ...


@dataclass(frozen=True)
class Bernoulli:
    """Binary pixels with independent logits; intensities are binarised anew at every presentation.

    Attributes:
        support: The least and the greatest number that stored examples may hold.
    """

    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def log_prob(self, outputs: Images, x: Images) -> Float[Array, " batch"]:
        return -optax.sigmoid_binary_cross_entropy(outputs, x).sum(axis=-1)

    def observe(self, key: PRNGKeyArray, intensity: Images) -> Images:
        return jax.random.bernoulli(key, intensity).astype(intensity.dtype)

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " data"]:
        return jax.scipy.special.logit(jnp.clip(mean, _DOUBT, 1 - _DOUBT))


@dataclass(frozen=True)
class Gaussian:
    """Real data around the outputs with one fixed standard deviation, its normaliser included."""

    standard_deviation: float = 1.0

    def log_prob(self, outputs: Images, x: Images) -> Float[Array, " batch"]:
        return jax.scipy.stats.norm.logpdf(x, outputs, self.standard_deviation).sum(axis=-1)

    def observe(self, key: PRNGKeyArray, intensity: Images) -> Images:
        return intensity

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " data"]:
        return mean


@dataclass(frozen=True)
class Recall:
    """Sequences of symbols, each one of several, of which the first must come back in every one of some slots.

    A slot has a logit for each symbol and knows nothing of the other slots. Stored examples are probabilities, each
    step's summing to 1; symbols are drawn from them anew at every presentation.

    Attributes:
        symbols: How many there are.
        slots: How often the first one must come back.
        support: The least and the greatest number that stored examples may hold.
    """

    support: ClassVar[tuple[float, float]] = (0.0, 1.0)
    symbols: int
    slots: int

    def log_prob(self, outputs: Outputs, x: Images) -> Float[Array, " batch"]:
        first = x[:, None, : self.symbols]
        logits = outputs.reshape(-1, self.slots, self.symbols)
        return jnp.sum(first * jax.nn.log_softmax(logits), axis=(1, 2))

    def observe(self, key: PRNGKeyArray, intensity: Images) -> Images:
        steps = intensity.reshape(len(intensity), -1, self.symbols)
        drawn = jax.random.categorical(key, jnp.log(steps))
        return jax.nn.one_hot(drawn, self.symbols, dtype=intensity.dtype).reshape(intensity.shape)

    def output_bias(self, mean: Float[Array, " data"]) -> Float[Array, " outputs"]:
        return jnp.tile(jnp.log(jnp.maximum(mean[: self.symbols], _DOUBT)), self.slots)
