"""A dense VAE, NNX, with a tanh decoder of five layers, of which the third has a kernel a million times too small."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.ad_checkpoint import checkpoint_name

from tests.doctor_cases import synthetic

PIXELS, WIDTH, LATENTS = 256, 64, 8


class VAE(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.encoder = nnx.List([nnx.Linear(PIXELS, WIDTH, rngs=rngs), nnx.Linear(WIDTH, WIDTH, rngs=rngs)])
        self.mean, self.log_var = nnx.Linear(WIDTH, LATENTS, rngs=rngs), nnx.Linear(WIDTH, LATENTS, rngs=rngs)
        sizes = [LATENTS, WIDTH, WIDTH, WIDTH, WIDTH]
        self.decoder = nnx.List([nnx.Linear(size, WIDTH, rngs=rngs) for size in sizes])
        self.pixels = nnx.Linear(WIDTH, PIXELS, rngs=rngs)

    def encode(self, x):
        for layer in self.encoder:
            x = jax.nn.silu(layer(x))
        return checkpoint_name(self.mean(x), "mean"), checkpoint_name(self.log_var(x), "log_var")

    def decode(self, z):
        for layer in self.decoder:
            z = jnp.tanh(layer(z))
        return checkpoint_name(self.pixels(z), "reconstruction")


def make():
    model = VAE(nnx.Rngs(0))
    kernel = model.decoder[2].kernel
    kernel[...] = 1e-6 * kernel[...]
    return model


def batch():
    images = synthetic.blobs(128, 16).reshape(128, PIXELS)
    return (images - images.mean(0)) / images.std()


def objective(model, batch, key):
    mean, log_var = model.encode(batch)
    z = checkpoint_name(mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape), "z")
    error = 0.5 * jnp.sum((model.decode(z) - checkpoint_name(batch, "target")) ** 2, axis=-1)
    kl = 0.5 * jnp.sum(jnp.exp(log_var) + mean**2 - 1 - log_var, axis=-1)
    return jnp.mean(error + kl)
