"""An NNX autoencoder with encode and decode and no __call__; the objective takes the model itself: healthy."""

import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic


class Autoencoder(nnx.Module):
    def __init__(self, pixels: int, width: int, code: int, rngs: nnx.Rngs):
        self.encoder = nnx.Sequential(
            nnx.Linear(pixels, width, rngs=rngs), nnx.elu, nnx.Linear(width, width, rngs=rngs), nnx.elu
        )
        self.to_code = nnx.Linear(width, code, rngs=rngs)
        self.decoder = nnx.Sequential(
            nnx.Linear(code, width, rngs=rngs), nnx.elu, nnx.Linear(width, width, rngs=rngs), nnx.elu
        )
        self.to_pixels = nnx.Linear(width, pixels, rngs=rngs)

    def encode(self, images):
        return self.to_code(self.encoder(images.reshape(len(images), -1)))

    def decode(self, code):
        return self.to_pixels(self.decoder(code))


def make():
    return Autoencoder(pixels=256, width=96, code=12, rngs=nnx.Rngs(0))


def batch():
    return synthetic.blobs(128, 16)


def objective(model, batch):
    reconstruction = model.decode(model.encode(batch)).reshape(batch.shape)
    return jnp.mean(jnp.sum((reconstruction - batch) ** 2, axis=(1, 2)))
