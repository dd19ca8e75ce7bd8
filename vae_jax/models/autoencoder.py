"""The plain autoencoder: encoder tower, a narrow code that is not random, decoder tower."""

from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.models.batch import Batch, Forward
from vae_jax.models.encoder_decoder import EncoderDecoder
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.hidden import Hidden, Taps


class AutoencoderArchitecture(EncoderDecoder):
    """The sizes of a plain autoencoder; `latent` are the dimensions of the code."""

    @property
    def before_z(self) -> tuple[str, ...]:
        """No stack: there is no KL term."""
        return ()

    def draw(self, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " data"]) -> "Autoencoder":
        """A model; see `contract.Architecture.draw`."""
        return Autoencoder(self, recipe, key, mean)

    def noise(self, key: PRNGKeyArray, examples: int, dtype: DTypeLike) -> tuple[()]:
        """Nothing: a code is drawn of nothing."""
        return ()


class Autoencoder(nnx.Module):
    """x -> encoder -> code -> decoder -> the likelihood's outputs.

    Source:
        Hinton & Salakhutdinov 2006, Science 313(5786), without pretraining.
    """

    def __init__(
        self, architecture: AutoencoderArchitecture, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " data"]
    ):
        """Draw a model.

        Args:
            architecture: Its sizes.
            recipe: How its layers are made and drawn.
            key: Every layer's key comes from it by the layer's name.
            mean: Of the training examples: the decoder starts at it, in every arm.
        """
        code, sizes = architecture.latent, (architecture.depth, architecture.width, recipe)
        self.encoder = architecture.encoder(architecture.data, code, *sizes, named_key(key, "encoder"))
        bias = architecture.likelihood.output_bias(mean)
        self.decoder = architecture.decoder(code, len(bias), *sizes, named_key(key, "decoder"))
        self.decoder.head.bias[...] = bias

    def __call__(self, batch: Batch, noise: tuple[()], run: ForwardPass) -> Forward:
        """One pass.

        Args:
            batch: Its inputs are the encoder's.
            noise: Nothing.
            run: The pass.
        """
        return Forward(self.decode(self.encode(batch, run), run), ())

    def encode(self, batch: Batch, run: ForwardPass) -> Float[Array, "batch code"]:
        """The codes."""
        x = run.noisy(run.recipe.input_noise, batch.inputs, "input_noise")
        return self.encoder(x, run.within("encoder"))[0]

    def decode(self, code: Float[Array, "batch code"], run: ForwardPass) -> Float[Array, "batch outputs"]:
        """The likelihood's outputs."""
        return self.decoder(code, run.within("decoder"))[0]

    def code(self, batch: Batch, run: ForwardPass) -> Float[Array, "batch code"]:
        """The codes; see `contract.Coder`."""
        return self.encode(batch, run)

    def from_code(self, code: Float[Array, "batch code"], run: ForwardPass) -> Float[Array, "batch outputs"]:
        """The likelihood's outputs; see `contract.Coder`."""
        return self.decode(code, run)

    def observed(
        self, batch: Batch, noise: tuple[()], taps: dict[str, Taps], run: ForwardPass
    ) -> tuple[Forward, dict[str, tuple[Hidden, ...]]]:
        """The same pass, and what each tower's hidden layers look like; see `DenseTower.observed`."""
        x = run.noisy(run.recipe.input_noise, batch.inputs, "input_noise")
        code, encoder = self.encoder.observed(x, taps["encoder"], run.within("encoder"))
        outputs, decoder = self.decoder.observed(code, taps["decoder"], run.within("decoder"))
        return Forward(outputs, ()), {"encoder": encoder, "decoder": decoder}
