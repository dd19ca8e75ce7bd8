"""A dense network that sharpens images, Linen, in float16 with a loss so small that its gradients underflow."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from tests.doctor_cases import synthetic


class Sharpen(nn.Module):
    @nn.compact
    def __call__(self, images):
        h = images.reshape(len(images), -1).astype(jnp.float16)
        for layer in range(5):
            h = nn.silu(nn.Dense(96, dtype=jnp.float16, name=f"dense_{layer}")(h))
        h = nn.Dense(784, dtype=jnp.float16, name="out")(h)
        return h.reshape(images.shape)


def make():
    model = Sharpen()
    return model, model.init(jax.random.key(0), jnp.zeros((2, 28, 28)))


def batch():
    return synthetic.blobs(128)


def loss(outputs, images):
    error = (outputs.astype(jnp.float32) - images) ** 2
    return 3e-4 * error.mean()
