"""Models of sentences: a recurrent decoder that is given each token's predecessor, with a z, a code, or neither."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from vae_jax.initialization.data_dependent import no_data_dependent_init
from vae_jax.layers.blocks import PlainBlock
from vae_jax.layers.dense import Dense
from vae_jax.layers.normalization import batch_norm
from vae_jax.models.batch import Batch, Forward, Latent
from vae_jax.models.likelihoods import Categorical
from vae_jax.models.presentations import BEGIN, END, PAD, Presentation, Sentences
from vae_jax.recipe.configured import made_by
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.hidden import Hidden, Run, Taps
from vae_jax.towers.recurrent import Recurrence, Recurrent, cell_kernels
from vae_jax.towers.state_passing import State

Tokens = Int[Array, "batch length"]
Mask = Bool[Array, "batch length"]
Logits = Float[Array, "batch length symbols"]
Code = Float[Array, "batch latent"]

ZEnters = Literal["state", "inputs", "both"]
"""Where the decoder is given z: as its first state, beside every token, or both."""


class Told(NamedTuple):
    """What a decoder is given of a sentence beside z."""

    tokens: Tokens
    mask: Mask


@dataclass(frozen=True)
class SequenceArchitecture:
    """The sizes of a variational autoencoder of sentences.

    Attributes:
        symbols: How many there are, special ones too.
        length: Steps of a row: tokens of the longest sentence, and its end.
        embedding: Dimensions that a token is read in.
        depth: Recurrent layers of encoder and decoder, each over the states of the one below.
        width: Units of a state.
        latent: Dimensions of z.
        z_enters: Where the decoder is given z.
        word_dropout: Probability with which the decoder is not told a token in training.
    """

    symbols: int
    length: int
    embedding: int
    depth: int
    width: int
    latent: int
    z_enters: ZEnters = "both"
    word_dropout: float = 0.0

    def __post_init__(self):
        for name in ("symbols", "length", "embedding", "depth", "width", "latent"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        Sentences(self.word_dropout)

    @property
    def likelihood(self) -> Categorical:
        """Of the symbols, by their logits."""
        return Categorical()

    @property
    def present(self) -> Presentation:
        """Sentences, and to the decoder each token's predecessor."""
        return Sentences(self.word_dropout)

    @property
    def mean_shape(self) -> tuple[int, ...]:
        """Of the symbols' frequencies."""
        return (self.symbols,)

    @property
    def output_size(self) -> int:
        """The symbols' logits at every step."""
        return self.length * self.symbols

    @property
    def stacks(self) -> dict[str, tuple[Run, ...]]:
        """A hidden layer to each step of each recurrent layer."""
        runs = (Run(self.length, (self.width,), scanned=True),) * self.depth
        return {"encoder": runs, "decoder": runs}

    @property
    def before_z(self) -> tuple[str, ...]:
        """The stacks that a gradient of the KL term reaches."""
        return ("encoder",)

    def require(self, recipe: Recipe) -> None:
        """Raise unless a recipe's slots go together in sequences of unequal length.

        Raises:
            ValueError: If its unit cannot activate what a cell sums up, it has blocks, or statistics over a batch.
        """
        Recurrent.require(recipe)
        block = made_by(recipe.block)
        if block is not PlainBlock:
            raise ValueError(
                f"a {block.__name__} is put around a dense layer, and here there are recurrent ones alone: choose "
                "another cell instead"
            )
        normalization, init = made_by(recipe.normalization), made_by(recipe.data_dependent_init)
        if normalization is batch_norm or init is not no_data_dependent_init:
            what = batch_norm if normalization is batch_norm else init
            raise ValueError(
                f"{what.__name__} takes its statistics over all steps of a batch, and where a sentence has ended they "
                "are padding, which is no data: choose what sees one example at a time, as layer_norm"
            )

    def of_width(self, width: int) -> Any:
        """The same with another width."""
        return replace(self, width=width)

    def kernels(self, tree: Any) -> dict[str, list[Any]]:
        """Each stack's matrices, the embedding first, in a tree like the model's parameters."""
        return {stack: _kernels(tree[stack]) for stack in self.stacks}

    def draw(self, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " symbols"]) -> nnx.Module:
        """A model; see `contract.Architecture.draw`."""
        return SequenceVAE(self, recipe, key, mean)

    def noise(self, key: PRNGKeyArray, examples: int, dtype: DTypeLike) -> Any:
        """Standard normal draws, by which z is drawn of its posterior."""
        return jax.random.normal(key, (examples, self.latent), dtype)


class SequenceAutoencoderArchitecture(SequenceArchitecture):
    """The same without a KL term: `latent` are the dimensions of a code that is not random."""

    @property
    def before_z(self) -> tuple[str, ...]:
        """No stack: there is no KL term."""
        return ()

    def draw(self, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " symbols"]) -> nnx.Module:
        """A model."""
        return SequenceAutoencoder(self, recipe, key, mean)

    def noise(self, key: PRNGKeyArray, examples: int, dtype: DTypeLike) -> Any:
        """Nothing: a code is drawn of nothing."""
        return ()


class LanguageModelArchitecture(SequenceAutoencoderArchitecture):
    """The decoder alone, without any z."""

    @property
    def present(self) -> Presentation:
        """Each token's predecessor, to tell it by."""
        return Sentences(self.word_dropout, encoded=False)

    @property
    def stacks(self) -> dict[str, tuple[Run, ...]]:
        """Those of the decoder."""
        return {"decoder": super().stacks["decoder"]}

    def draw(self, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " symbols"]) -> nnx.Module:
        """A model."""
        return LanguageModel(self, recipe, key, mean)


class SequenceStack(nnx.Module):
    """Tokens -> embedding -> recurrent layers, each over the states of the one below."""

    def __init__(self, sizes: SequenceArchitecture, beside: int, outputs: int, recipe: Recipe, key: PRNGKeyArray):
        """Draw a stack and its head.

        Args:
            sizes: Of the model.
            beside: Entries that stand beside each token's embedding.
            outputs: Of the head.
            recipe: Which cell, and how it is drawn.
            key: Every part's key comes from it by the part's name.
        """
        # Of mean square 1, as what a layer reads should be.
        shape = (sizes.symbols, sizes.embedding)
        self.embedding = nnx.Param(jax.random.normal(named_key(key, "embedding"), shape))
        inputs = [sizes.embedding + beside, *[sizes.width] * (sizes.depth - 1)]
        self.layers = nnx.List([
            Recurrence(size, sizes.length, sizes.width, recipe, named_key(key, f"layer_{index}"))
            for index, size in enumerate(inputs)
        ])  # fmt: skip
        self.head = Dense(sizes.width, outputs, recipe, named_key(key, "head"), role="head")

    def embedded(self, tokens: Int[Array, "..."]) -> Float[Array, "... embedding"]:
        """The tokens' vectors."""
        return self.embedding[...][tokens]

    def through(
        self, steps: Float[Array, "length batch inputs"], starts: Sequence[State | None], mask: Mask, run: ForwardPass
    ) -> Float[Array, "length batch width"]:
        """The last layer's states.

        Args:
            steps: What the first layer reads.
            starts: Each layer's state before the first step; None for zeros.
            mask: Which steps are there.
            run: The pass.
        """
        for index, (layer, start) in enumerate(zip(self.layers, starts, strict=True)):
            steps = layer.through(steps, run.within(f"layer_{index}"), start, mask.T)
        return steps

    def watched_through(
        self,
        steps: Float[Array, "length batch inputs"],
        starts: Sequence[State | None],
        mask: Mask,
        taps: Taps,
        run: ForwardPass,
    ) -> tuple[Hidden, ...]:
        """What every layer looks like: the same pass, to be looked into; see `Recurrence.watched_through`."""
        hidden = []
        for index, (layer, start, tap) in enumerate(zip(self.layers, starts, taps, strict=True)):
            hidden.append(layer.watched_through(steps, tap, run.within(f"layer_{index}"), start, mask.T))
            steps = hidden[-1].output
        return tuple(hidden)


class SequenceEncoder(SequenceStack):
    """A sentence -> what is read of its states -> outputs.

    The head reads the state after the last token that is there, whatever stands behind it.
    """

    def __call__(self, tokens: Tokens, mask: Mask, run: ForwardPass) -> Float[Array, "batch outputs"]:
        """The head's output."""
        steps, starts = self._given(tokens, run)
        return self._read(self.through(steps, starts, mask, run), mask, run)

    def observed(
        self, tokens: Tokens, mask: Mask, taps: Taps, run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], tuple[Hidden, ...]]:
        """The same pass, and what every step looks like: of a sentence that has ended, the state that it ended with."""
        steps, starts = self._given(tokens, run)
        hidden = self.watched_through(steps, starts, mask, taps, run)
        return self._read(hidden[-1].output, mask, run), hidden

    def _given(self, tokens: Tokens, run: ForwardPass) -> tuple[Float[Array, "length batch inputs"], list[None]]:
        x = self.embedded(tokens.T)
        noisy = run.noisy(run.recipe.input_noise, x.reshape(-1, x.shape[-1]), "input_noise")
        return noisy.reshape(x.shape), [None] * len(self.layers)

    def _read(
        self, hidden: Float[Array, "length batch width"], mask: Mask, run: ForwardPass
    ) -> Float[Array, "batch outputs"]:
        return self.head(run.recipe.readout(hidden, mask.T), run.within("head"))


class SequenceDecoder(SequenceStack):
    """What is told of a sentence, and a code -> the logits of every token."""

    def __init__(
        self,
        sizes: SequenceArchitecture,
        latent: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        bias: Float[Array, " symbols"],
    ):
        """Draw a decoder.

        Args:
            sizes: Of the model.
            latent: Dimensions of the code; 0 where there is none.
            recipe: Which cell, and how it is drawn.
            key: Every part's key comes from it by the part's name.
            bias: Of the logits.
        """
        self.beside = latent if sizes.z_enters in ("inputs", "both") else 0
        super().__init__(sizes, self.beside, sizes.symbols, recipe, key)
        self.head.bias[...] = bias
        self.length, self.width = sizes.length, sizes.width
        if latent and sizes.z_enters in ("state", "both"):
            states = sum(layer.cell.states for layer in self.layers)
            self.start = Dense(latent, states * sizes.width, recipe, named_key(key, "start"), role="input")

    def __call__(self, code: Code | None, told: Told, run: ForwardPass) -> Logits:
        """The logits of every token by those before it and the code."""
        steps, starts = self._given(code, told.tokens, run)
        return self._logits(self.through(steps, starts, told.mask, run), run)

    def observed(
        self, code: Code | None, told: Told, taps: Taps, run: ForwardPass
    ) -> tuple[Logits, tuple[Hidden, ...]]:
        """The same pass, and what every step looks like that is there."""
        steps, starts = self._given(code, told.tokens, run)
        hidden = self.watched_through(steps, starts, told.mask, taps, run)
        logits = self._logits(hidden[-1].output, run)
        return logits, tuple(layer._replace(counts=told.mask.T) for layer in hidden)

    def generate(
        self, code: Code | None, examples: int, run: ForwardPass, key: PRNGKeyArray | None, temperature: float
    ) -> tuple[Tokens, Logits]:
        """Sentences made token by token; see `LanguageModel.generate`."""
        dtype = self.embedding[...].dtype
        starts = self._starts(code, run)
        states = tuple(
            layer.first(examples, dtype) if start is None else start
            for layer, start in zip(self.layers, starts, strict=True)
        )

        nothing = jnp.full((len(self.embedding[...]),), -jnp.inf, dtype).at[PAD].set(0)

        def step(carried: tuple[Any, Array, Array], index: Array) -> tuple[Any, tuple[Array, Array]]:
            states, before, ended = carried
            x = self._beside(self.embedded(before)[None], code)[0]
            after = []
            for number, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
                after.append(layer.advance(x, state, run.within(f"layer_{number}")))
                x = after[-1][0]
            # A sentence that has ended goes on with padding alone.
            logits = jnp.where(ended[:, None], nothing, self.head(x, run.within("head")))
            if key is None:
                chosen = jnp.argmax(logits, axis=-1)
            else:
                chosen = jax.random.categorical(jax.random.fold_in(key, index), logits / temperature)
            chosen = chosen.astype(before.dtype)
            return (tuple(after), chosen, ended | (chosen == END)), (chosen, logits)

        first = (states, jnp.full((examples,), BEGIN, jnp.int32), jnp.zeros((examples,), bool))
        _, (tokens, logits) = jax.lax.scan(step, first, jnp.arange(self.length))
        return tokens.T, logits.swapaxes(0, 1)

    def _given(
        self, code: Code | None, tokens: Tokens, run: ForwardPass
    ) -> tuple[Float[Array, "length batch inputs"], list[State | None]]:
        return self._beside(self.embedded(tokens.T), code), self._starts(code, run)

    def _beside(
        self, x: Float[Array, "steps batch embedding"], code: Code | None
    ) -> Float[Array, "steps batch inputs"]:
        if code is None or not self.beside:
            return x
        return jnp.concatenate([x, jnp.broadcast_to(code[None], (len(x), *code.shape))], axis=-1)

    def _starts(self, code: Code | None, run: ForwardPass) -> list[State | None]:
        start = getattr(self, "start", None)
        if code is None or start is None:
            return [None] * len(self.layers)
        arrays = iter(
            jnp.split(start(code, run.within("start")), sum(each.cell.states for each in self.layers), axis=1)
        )
        return [tuple(next(arrays) for _ in range(layer.cell.states)) for layer in self.layers]

    def _logits(self, hidden: Float[Array, "length batch width"], run: ForwardPass) -> Logits:
        length, batch, width = hidden.shape
        logits = self.head(hidden.swapaxes(0, 1).reshape(-1, width), run.within("head"))
        return logits.reshape(batch, length, -1)


class LanguageModel(nnx.Module):
    """Each token's predecessor -> recurrent layers -> the logits of every token: no z, and nothing else of x."""

    def __init__(
        self, architecture: SequenceArchitecture, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " symbols"]
    ):
        """Draw a model.

        Args:
            architecture: Its sizes.
            recipe: How its layers are made and drawn.
            key: Every layer's key comes from it by the layer's name.
            mean: The symbols' frequencies: its outputs start at them, in every arm.
        """
        self.decoder = self._decoder(architecture, 0, recipe, key, mean)

    def __call__(self, batch: Batch, noise: tuple[()], run: ForwardPass) -> Forward:
        """One pass."""
        return Forward(self.decoder(None, Told(batch.inputs, batch.mask), run.within("decoder")), ())

    def observed(
        self, batch: Batch, noise: tuple[()], taps: dict[str, Taps], run: ForwardPass
    ) -> tuple[Forward, dict[str, tuple[Hidden, ...]]]:
        """The same pass, and what its hidden layers look like."""
        told = Told(batch.inputs, batch.mask)
        outputs, hidden = self.decoder.observed(None, told, taps["decoder"], run.within("decoder"))
        return Forward(outputs, ()), {"decoder": hidden}

    def generate(
        self, examples: int, run: ForwardPass, key: PRNGKeyArray | None = None, temperature: float = 1.0
    ) -> tuple[Tokens, Logits]:
        """Sentences made token by token, each given those before it, and the logits that each was chosen by.

        Args:
            examples: How many.
            run: The pass, in evaluation.
            key: Of the draws; None to take the likeliest token at every step.
            temperature: By which logits are divided before a token is drawn; above 0.

        Returns:
            Rows of tokens, each up to its end symbol and `PAD` from there on.
        """
        return self.decoder.generate(None, examples, run.within("decoder"), key, temperature)

    @staticmethod
    def _decoder(
        sizes: SequenceArchitecture, latent: int, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " symbols"]
    ) -> SequenceDecoder:
        return SequenceDecoder(sizes, latent, recipe, named_key(key, "decoder"), sizes.likelihood.output_bias(mean))


class SequenceAutoencoder(nnx.Module):
    """A sentence -> encoder -> code -> decoder, beside each token's predecessor -> the logits of every token."""

    # Outputs of the encoder for each dimension of the code.
    pieces = 1

    def __init__(
        self, architecture: SequenceArchitecture, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " symbols"]
    ):
        """Draw a model; arguments as for `LanguageModel`."""
        latent = architecture.latent
        self.encoder = SequenceEncoder(architecture, 0, self.pieces * latent, recipe, named_key(key, "encoder"))
        self.decoder = LanguageModel._decoder(architecture, latent, recipe, key, mean)
        # Set by `nnx.Module.eval`.
        self.deterministic = False

    def __call__(self, batch: Batch, noise: Any, run: ForwardPass) -> Forward:
        """One pass; in evaluation also with the code of another example."""
        encoded = self.encoder(batch.inputs, batch.mask, run.within("encoder"))
        code, latents = self._coded(encoded, noise)
        told = Told(batch.decoder_inputs, batch.mask)
        outputs = self.decoder(code, told, run.within("decoder"))
        if not self.deterministic:
            return Forward(outputs, latents)
        return Forward(outputs, latents, self.decoder(jnp.roll(code, 1, axis=0), told, run.within("decoder")))

    def observed(
        self, batch: Batch, noise: Any, taps: dict[str, Taps], run: ForwardPass
    ) -> tuple[Forward, dict[str, tuple[Hidden, ...]]]:
        """The same pass, and what its hidden layers look like."""
        encoded, encoder = self.encoder.observed(batch.inputs, batch.mask, taps["encoder"], run.within("encoder"))
        code, latents = self._coded(encoded, noise)
        told = Told(batch.decoder_inputs, batch.mask)
        outputs, decoder = self.decoder.observed(code, told, taps["decoder"], run.within("decoder"))
        return Forward(outputs, latents), {"encoder": encoder, "decoder": decoder}

    def code(self, batch: Batch, run: ForwardPass) -> Code:
        """The code of each sentence, nothing drawn."""
        return self.encoder(batch.inputs, batch.mask, run.within("encoder"))

    def decode(self, code: Code, told: Told, run: ForwardPass) -> Logits:
        """The logits of every token by those before it and the code."""
        return self.decoder(code, told, run.within("decoder"))

    def from_code(self, code: Code, run: ForwardPass) -> Logits:
        """The logits of the likeliest tokens, each by those before it: a sentence of its code alone."""
        return self.generate(code, run)[1]

    def generate(
        self, code: Code, run: ForwardPass, key: PRNGKeyArray | None = None, temperature: float = 1.0
    ) -> tuple[Tokens, Logits]:
        """Sentences of their codes, token by token; else as for `LanguageModel.generate`."""
        return self.decoder.generate(code, len(code), run.within("decoder"), key, temperature)

    def _coded(self, encoded: Float[Array, "batch parameters"], noise: Any) -> tuple[Code, tuple[Latent, ...]]:
        """The code that the decoder is given, and what is random of it."""
        return encoded, ()


class SequenceVAE(SequenceAutoencoder):
    """The same with a code z that is drawn of q(z|x).

    Source:
        Bowman, Vilnis, Vinyals, Dai, Jozefowicz & Bengio 2016, arXiv:1511.06349.
    """

    pieces = 2

    def __init__(
        self, architecture: SequenceArchitecture, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " symbols"]
    ):
        """Draw a model; arguments as for `LanguageModel`."""
        super().__init__(architecture, recipe, key, mean)
        self.posterior_head = recipe.posterior_head(architecture.latent)

    def encode(self, batch: Batch, run: ForwardPass) -> tuple[Code, Code, Told]:
        """Mean and logarithm of the variance of q(z|x), and what the decoder is given beside z."""
        mean, log_var = self.posterior_head(super().code(batch, run))
        return mean, log_var, Told(batch.decoder_inputs, batch.mask)

    def code(self, batch: Batch, run: ForwardPass) -> Code:
        """The mean of q(z|x)."""
        return self.encode(batch, run)[0]

    def _coded(self, encoded: Float[Array, "batch parameters"], noise: Code) -> tuple[Code, tuple[Latent, ...]]:
        mean, log_var = self.posterior_head(encoded)
        z = mean + jnp.exp(0.5 * log_var) * noise
        return z, (Latent(mean, log_var, z),)


def _kernels(stack: Any) -> list[Any]:
    layers = [stack["layers"][index] for index in sorted(stack["layers"], key=int)]
    start = [stack["start"]["kernel"]] if "start" in stack else []
    cells = [matrix for layer in layers for matrix in cell_kernels(layer)]
    return [stack["embedding"], *start, *cells, stack["head"]["kernel"]]
