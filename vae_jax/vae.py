"""The variational autoencoder: encoder tower, Gaussian posterior, decoder tower, likelihood."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.keys import named_key
from vae_jax.layers.blocks import set_bias
from vae_jax.likelihoods import Bernoulli, Likelihood
from vae_jax.recipe import Recipe
from vae_jax.towers.dense import DenseTower, Hidden

TOWERS = ("encoder", "decoder")
BERNOULLI = Bernoulli()


@dataclass(frozen=True)
class Architecture:
    """The sizes that all arms of a workload share.

    Attributes:
        data: Dimensions of one example.
        depth: Blocks in each tower, beside its input layer and its head.
        width: Units in each hidden layer.
        latent: Dimensions of z.
        likelihood: What the decoder's output means.
    """

    data: int
    depth: int
    width: int
    latent: int
    likelihood: Likelihood = BERNOULLI

    def __post_init__(self):
        for name in ("data", "depth", "width", "latent"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def taps(self, batch: int, dtype: DTypeLike = jnp.float32) -> dict[str, Float[Array, "layers batch width"]]:
        """Zeros to add to every hidden layer of both towers."""
        return {tower: jnp.zeros((self.depth + 1, batch, self.width), dtype) for tower in TOWERS}


class Forward(NamedTuple):
    """What one pass gives: the decoder's outputs, the posterior, and its draw."""

    outputs: Float[Array, "batch data"]
    mean: Float[Array, "batch latent"]
    log_var: Float[Array, "batch latent"]
    z: Float[Array, "batch latent"]


class VAE(nnx.Module):
    """x -> encoder -> posterior head -> N(mean, exp(log_var)) -> z -> decoder -> the likelihood's outputs.

    Source:
        Kingma & Welling 2014, arXiv:1312.6114.
    """

    def __init__(self, architecture: Architecture, recipe: Recipe, key: PRNGKeyArray, data_mean: Float[Array, " data"]):
        """Draw a model.

        Args:
            architecture: Its sizes.
            recipe: How its layers are made and drawn.
            key: Every layer's key comes from it by the layer's name.
            data_mean: Mean of the training examples: the decoder starts at it, in every arm. Otherwise the first
                hundred nats of any training are the output bias learning the mean.
        """
        sizes = (architecture.depth, architecture.width, recipe)
        self.encoder = DenseTower(architecture.data, 2 * architecture.latent, *sizes, named_key(key, "encoder"))
        self.decoder = DenseTower(architecture.latent, architecture.data, *sizes, named_key(key, "decoder"))
        set_bias(self.decoder.head, architecture.likelihood.output_bias(data_mean))
        self.posterior_head = recipe.posterior_head(architecture.latent)

    def __call__(self, x: Float[Array, "batch data"], noise: Float[Array, "batch latent"], recipe: Recipe) -> Forward:
        """One pass with one draw of z.

        Args:
            x: Encoder inputs, centred.
            noise: Standard normal draws; z = mean + exp(log_var / 2) noise.
            recipe: The recipe, with the numbers of this training.
        """
        mean, log_var = self.posterior(x, recipe)
        z = _draw(mean, log_var, noise)
        return Forward(self.decoder(z, recipe), mean, log_var, z)

    def posterior(
        self, x: Float[Array, "batch data"], recipe: Recipe
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Mean and logarithm of the variance of q(z|x), from centred inputs."""
        return self.posterior_head(self.encoder(x, recipe))

    def observed(
        self,
        x: Float[Array, "batch data"],
        noise: Float[Array, "batch latent"],
        taps: dict[str, Float[Array, "layers batch width"]],
        recipe: Recipe,
    ) -> tuple[Forward, dict[str, Hidden]]:
        """The same pass, and what each tower's hidden layers look like; see `DenseTower.observed`."""
        encoded, encoder = self.encoder.observed(x, taps["encoder"], recipe)
        mean, log_var = self.posterior_head(encoded)
        z = _draw(mean, log_var, noise)
        outputs, decoder = self.decoder.observed(z, taps["decoder"], recipe)
        return Forward(outputs, mean, log_var, z), {"encoder": encoder, "decoder": decoder}


def _draw(
    mean: Float[Array, "batch latent"], log_var: Float[Array, "batch latent"], noise: Float[Array, "batch latent"]
) -> Float[Array, "batch latent"]:
    return mean + jnp.exp(0.5 * log_var) * noise
