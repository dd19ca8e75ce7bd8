"""The variational autoencoder: encoder tower, Gaussian posterior, decoder tower, likelihood."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.models.batch import Batch, Forward, Latent
from vae_jax.models.encoder_decoder import EncoderDecoder
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.hidden import Hidden, Taps


class VAEArchitecture(EncoderDecoder):
    """The sizes of a variational autoencoder; `latent` are the dimensions of z."""

    @property
    def before_z(self) -> tuple[str, ...]:
        """The stacks that a gradient of the KL term reaches."""
        return ("encoder",)

    def draw(self, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " data"]) -> "VAE":
        """A model; see `contract.Architecture.draw`."""
        return VAE(self, recipe, key, mean)

    def noise(self, key: PRNGKeyArray, examples: int, dtype: DTypeLike) -> Float[Array, "examples latent"]:
        """Standard normal draws, by which z is drawn of its posterior."""
        return jax.random.normal(key, (examples, self.latent), dtype)


class VAE(nnx.Module):
    """x -> encoder -> posterior head -> N(mean, exp(log_var)) -> z -> decoder -> the likelihood's outputs.

    Source:
        Kingma & Welling 2014, arXiv:1312.6114.
    """

    def __init__(self, architecture: VAEArchitecture, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " data"]):
        """Draw a model.

        Args:
            architecture: Its sizes.
            recipe: How its layers are made and drawn.
            key: Every layer's key comes from it by the layer's name.
            mean: Of the training examples: the decoder starts at it, in every arm. Otherwise the first
                hundred nats of any training are the output bias learning the mean.
        """
        self.depth = architecture.depth
        latent, sizes = architecture.latent, (architecture.depth, architecture.width, recipe)
        self.encoder = architecture.encoder(architecture.data, 2 * latent, *sizes, named_key(key, "encoder"))
        self.posterior_head = recipe.posterior_head(latent)
        bias = architecture.likelihood.output_bias(mean)
        context = _context_size(recipe, architecture)
        self.decoder = architecture.decoder(latent, len(bias), *sizes, named_key(key, "decoder"), context)
        self.decoder.head.bias[...] = bias

    def __call__(self, batch: Batch, noise: Float[Array, "batch latent"], run: ForwardPass) -> Forward:
        """One pass with one draw of z.

        Args:
            batch: Its inputs are the encoder's.
            noise: Standard normal draws; z = mean + exp(log_var / 2) noise.
            run: The pass.
        """
        mean, log_var, hidden = self.encode(batch, run)
        z = _draw(mean, log_var, noise)
        return Forward(self.decode(z, hidden, run), (Latent(mean, log_var, z),))

    def encode(
        self, batch: Batch, run: ForwardPass
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"], list[Float[Array, "batch ..."]]]:
        """Mean and logarithm of the variance of q(z|x), and the encoder's hidden layers."""
        x = run.noisy(run.recipe.input_noise, batch.inputs, "input_noise")
        encoded, hidden = self.encoder(x, run.within("encoder"))
        return *self.posterior_head(encoded), hidden

    def decode(
        self, z: Float[Array, "batch latent"], hidden: list[Float[Array, "batch ..."]], run: ForwardPass
    ) -> Float[Array, "batch outputs"]:
        """The likelihood's outputs.

        Args:
            z: One draw for each example.
            hidden: The encoder's hidden layers for the same examples.
            run: The pass.
        """
        return self.decoder(z, run.within("decoder", run.recipe.decoder_context(z, hidden, self.depth + 1)))[0]

    def code(self, batch: Batch, run: ForwardPass) -> Float[Array, "batch latent"]:
        """The mean of q(z|x); see `contract.Coder`."""
        return self.encode(batch, run)[0]

    def from_code(self, code: Float[Array, "batch latent"], run: ForwardPass) -> Float[Array, "batch outputs"]:
        """The likelihood's outputs, of z alone; see `contract.Coder`."""
        return self.decode(code, [], run)

    def observed(
        self, batch: Batch, noise: Float[Array, "batch latent"], taps: dict[str, Taps], run: ForwardPass
    ) -> tuple[Forward, dict[str, tuple[Hidden, ...]]]:
        """The same pass, and what each tower's hidden layers look like; see `DenseTower.observed`."""
        x = run.noisy(run.recipe.input_noise, batch.inputs, "input_noise")
        encoded, encoder = self.encoder.observed(x, taps["encoder"], run.within("encoder"))
        mean, log_var = self.posterior_head(encoded)
        z = _draw(mean, log_var, noise)
        hidden = [layer for layers in encoder for layer in layers.output]
        context = run.recipe.decoder_context(z, hidden, self.depth + 1)
        outputs, decoder = self.decoder.observed(z, taps["decoder"], run.within("decoder", context))
        return Forward(outputs, (Latent(mean, log_var, z),)), {"encoder": encoder, "decoder": decoder}


def _draw(
    mean: Float[Array, "batch latent"], log_var: Float[Array, "batch latent"], noise: Float[Array, "batch latent"]
) -> Float[Array, "batch latent"]:
    return mean + jnp.exp(0.5 * log_var) * noise


def _context_size(recipe: Recipe, architecture: VAEArchitecture) -> int:
    """How many entries each of the decoder's blocks, and its head, sees beside the layer before it."""
    z, h = jnp.zeros((1, architecture.latent)), jnp.zeros((1, architecture.width))
    layers = sum(run.layers for run in architecture.stacks["encoder"])
    context = recipe.decoder_context(z, [h] * layers, architecture.depth + 1)
    return 0 if context is None else context[0].shape[1]
