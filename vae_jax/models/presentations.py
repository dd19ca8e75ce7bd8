"""Presentations: how stored rows become what a step sees."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from vae_jax.models.batch import Batch, Rows

Images = Float[Array, "batch ..."]
Mean = Float[Array, "..."]


PAD, BEGIN, END = range(3)
"""Numbers of what is no token: what stands where none is, what a decoder is given first, what ends a sentence."""


@runtime_checkable
class Presentation(Protocol):
    """How stored rows become what a step sees: here data are binarised, centred, corrupted, shifted, and nowhere else.

    A frozen dataclass, since it is part of the compiled program.
    """

    def __call__(self, key: PRNGKeyArray | None, rows: Rows, mean: Float[Array, "..."]) -> Batch:
        """Rows as the model sees them.

        Args:
            key: Of all that is drawn; None where rows are taken as they are, as of held-out examples, which are stored
                in their one presentation.
            rows: Stored examples.
            mean: Of the training targets.
        """
        ...


@dataclass(frozen=True)
class AsStored:
    """Real numbers as they are; the encoder sees them centred."""

    def __call__(self, key: PRNGKeyArray | None, rows: Images, mean: Mean) -> Batch:
        return Batch(rows - mean[None], rows)


@dataclass(frozen=True)
class Labelled:
    """Rows `images` with their `labels`, of which the labels are to be told; images are stored as they are seen."""

    def __call__(self, key: PRNGKeyArray | None, rows: dict[str, Array], mean: Mean) -> Batch:
        return Batch(rows["images"], rows["labels"])


@dataclass(frozen=True)
class Uncentred:
    """Real numbers as they are, to the encoder too."""

    def __call__(self, key: PRNGKeyArray | None, rows: Images, mean: Mean) -> Batch:
        return Batch(rows, rows)


@dataclass(frozen=True)
class Corrupted:
    """Real numbers as they are to come back; what the encoder sees of them, centred, has noise added in training.

    Attributes:
        standard_deviation: Of the noise.

    Source:
        Vincent, Larochelle, Bengio & Manzagol 2008, ICML, with normal noise.
    """

    standard_deviation: float

    def __call__(self, key: PRNGKeyArray | None, rows: Images, mean: Mean) -> Batch:
        inputs = rows - mean[None]
        if key is not None:
            inputs = inputs + self.standard_deviation * jax.random.normal(key, rows.shape, rows.dtype)
        return Batch(inputs, rows)


@dataclass(frozen=True)
class Binarised:
    """Intensities in [0, 1], binarised anew at every presentation; the encoder sees them centred.

    Attributes:
        drawn: See `as_held_out`.
    """

    drawn: ClassVar[bool] = True

    def __call__(self, key: PRNGKeyArray | None, rows: Images, mean: Mean) -> Batch:
        x = rows if key is None else jax.random.bernoulli(key, rows).astype(rows.dtype)
        return Batch(x - mean[None], x)


@dataclass(frozen=True)
class DrawnSymbols:
    """Sequences of symbols' probabilities, of which symbols are drawn anew at every presentation, one-hot.

    Attributes:
        symbols: How many there are; the probabilities of a step sum to 1.
        drawn: See `as_held_out`.
    """

    drawn: ClassVar[bool] = True
    symbols: int

    def __call__(self, key: PRNGKeyArray | None, rows: Images, mean: Mean) -> Batch:
        x = rows
        if key is not None:
            drawn = jax.random.categorical(key, jnp.log(rows.reshape(len(rows), -1, self.symbols)))
            x = jax.nn.one_hot(drawn, self.symbols, dtype=rows.dtype).reshape(rows.shape)
        return Batch(x - mean[None], x)


@dataclass(frozen=True)
class Sentences:
    """Rows of `tokens`, of which the first `lengths`, the end symbol among them, are to come back and all others are
    padding: no token, whatever is stored there.

    The decoder is given each token's predecessor, the first one `BEGIN`. In training each of these, but `BEGIN`, may be
    blanked, as `PAD`: what is blanked the decoder has to take from z.

    Attributes:
        word_dropout: Probability with which a token is blanked.
        encoded: Whether an encoder reads the sentence; else what the decoder is given are the inputs.

    Source:
        Bowman, Vilnis, Vinyals, Dai, Jozefowicz & Bengio 2016, arXiv:1511.06349.
    """

    word_dropout: float = 0.0
    encoded: bool = True

    def __post_init__(self):
        if not 0 <= self.word_dropout <= 1:
            raise ValueError(f"word_dropout must lie in [0, 1], got {self.word_dropout:g}: it is a probability")

    def __call__(self, key: PRNGKeyArray | None, rows: dict[str, Int[Array, "batch ..."]], mean: Mean) -> Batch:
        places = jnp.arange(rows["tokens"].shape[1], dtype=rows["lengths"].dtype)
        mask = places[None] < rows["lengths"][:, None]
        tokens = jnp.where(mask, rows["tokens"], PAD)
        before = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=BEGIN)
        if key is not None and self.word_dropout:
            blank = jax.random.bernoulli(key, self.word_dropout, before.shape)
            before = jnp.where(blank & (places > 0)[None], PAD, before)
        return Batch(tokens, tokens, mask, before) if self.encoded else Batch(before, tokens, mask)


def as_held_out(present: Any, key: PRNGKeyArray, rows: Rows, mean: Float[Array, "..."]) -> Rows:
    """Training rows in one presentation, as held-out examples are stored in theirs.

    Args:
        present: Their `Presentation`; of one whose targets are drawn of the rows, that is `drawn`, they are drawn once.
        key: Of the draw.
        rows: Stored examples.
        mean: Of the training targets.
    """
    return present(key, rows, mean).target if getattr(present, "drawn", False) else rows
