"""A convolutional VQ autoencoder, NNX, straight-through, its codebook drawn as wide as what is quantised: healthy."""

import jax
import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic


class Quantiser(nnx.Module):
    def __init__(self, codes: int, width: int, rngs: nnx.Rngs):
        self.codebook = nnx.Param(jax.random.normal(rngs.params(), (codes, width)))

    def __call__(self, latent):
        codebook = self.codebook[...]
        quantised = codebook[jnp.argmin(jnp.sum((latent[..., None, :] - codebook) ** 2, axis=-1), axis=-1)]
        commitment = jnp.mean((jax.lax.stop_gradient(quantised) - latent) ** 2)
        codes = jnp.mean((quantised - jax.lax.stop_gradient(latent)) ** 2)
        return latent + jax.lax.stop_gradient(quantised - latent), codes + 0.25 * commitment


class VQAutoencoder(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        he = nnx.initializers.he_normal()
        self.down_1 = nnx.Conv(1, 24, (3, 3), strides=2, kernel_init=he, rngs=rngs)
        self.down_2 = nnx.Conv(24, 32, (3, 3), strides=2, kernel_init=he, rngs=rngs)
        self.to_code, self.norm = nnx.Conv(32, 8, (1, 1), rngs=rngs), nnx.LayerNorm(8, rngs=rngs)
        self.quantiser = Quantiser(32, 8, rngs)
        self.up_1 = nnx.ConvTranspose(8, 32, (3, 3), strides=2, kernel_init=he, rngs=rngs)
        self.up_2 = nnx.ConvTranspose(32, 24, (3, 3), strides=2, kernel_init=he, rngs=rngs)
        self.pixels = nnx.Conv(24, 1, (3, 3), rngs=rngs)

    def __call__(self, images):
        h = jax.nn.relu(self.down_2(jax.nn.relu(self.down_1(images))))
        quantised, penalty = self.quantiser(self.norm(self.to_code(h)))
        h = jax.nn.relu(self.up_2(jax.nn.relu(self.up_1(quantised))))
        return self.pixels(h), penalty


def build():
    return VQAutoencoder(nnx.Rngs(0))


def batch():
    images = synthetic.blobs(64, 16)[..., None]
    return (images - images.mean(0)) / images.std()


def loss(outputs, images):
    return jnp.mean((outputs[0] - images) ** 2) + outputs[1]
