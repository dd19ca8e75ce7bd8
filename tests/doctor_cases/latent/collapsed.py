"""A dense VAE as a training left it that collapsed: both heads are zero and the decoder draws the mean image."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from tests.doctor_cases import synthetic


class VAE(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(784, 96, rngs=rngs)
        self.mean = nnx.Linear(96, 6, rngs=rngs)
        self.log_var = nnx.Linear(96, 6, rngs=rngs)
        self.unfold = nnx.Linear(6, 96, rngs=rngs)
        self.pixels = nnx.Linear(96, 784, rngs=rngs)

    def __call__(self, images, key):
        hidden = nnx.gelu(self.hidden(images))
        mean, log_var = self.mean(hidden), self.log_var(hidden)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
        return self.pixels(nnx.gelu(self.unfold(z))), mean, log_var


def batch():
    return synthetic.blobs(128).reshape(128, 784)


def loss(outputs, batch):
    logits, mean, log_var = outputs
    reconstruction = optax.sigmoid_binary_cross_entropy(logits, batch).sum(-1)
    divergence = 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).sum(-1)
    return (reconstruction + divergence).mean()


def make():
    model = VAE(nnx.Rngs(0))
    for head in (model.mean, model.log_var):
        head.kernel[...] = jnp.zeros_like(head.kernel[...])
    model.unfold.kernel[...] = 1e-3 * model.unfold.kernel[...]
    shown = jnp.clip(batch().mean(0), 1e-3, 1 - 1e-3)
    model.pixels.bias = nnx.Param(jnp.log(shown / (1 - shown)))
    return model
