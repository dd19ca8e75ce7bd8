"""A dense VAE, NNX, with half a nat of free bits for each unit, and at the start no unit needs as many."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from tests.doctor_cases import synthetic

FREE_NATS = 0.5


class VAE(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.encode_1 = nnx.Linear(784, 128, rngs=rngs)
        self.encode_2 = nnx.Linear(128, 64, rngs=rngs)
        self.mean = nnx.Linear(64, 10, rngs=rngs)
        self.log_var = nnx.Linear(64, 10, rngs=rngs)
        self.decode_1 = nnx.Linear(10, 64, rngs=rngs)
        self.decode_2 = nnx.Linear(64, 128, rngs=rngs)
        self.pixels = nnx.Linear(128, 784, rngs=rngs)

    def __call__(self, images, key):
        h = nnx.swish(self.encode_2(nnx.swish(self.encode_1(5 * images - 0.7))))
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
        h = nnx.swish(self.decode_2(nnx.swish(self.decode_1(z))))
        return self.pixels(h), mean, log_var


def make():
    return VAE(nnx.Rngs(0))


def batch():
    return synthetic.blobs(128).reshape(128, 784)


def loss(outputs, images):
    logits, mean, log_var = outputs
    reconstruction = optax.sigmoid_binary_cross_entropy(logits, images).sum(-1).mean()
    kl_per_unit = 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).mean(0)
    return reconstruction + jnp.maximum(kl_per_unit, FREE_NATS).sum()
