"""A Fourier neural operator in two dimensions, NNX, with complex64 weights, that learns to move an image: healthy."""

import jax
import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic

CHANNELS, MODES = 12, 6


class SpectralLayer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        shape = (2, MODES, MODES, CHANNELS, CHANNELS)
        weight = jax.random.normal(rngs.params(), shape, jnp.complex64) * CHANNELS**-0.5
        self.weight = nnx.Param(weight)
        self.pointwise = nnx.Linear(CHANNELS, CHANNELS, rngs=rngs)

    def __call__(self, h):
        spectrum = jnp.fft.rfft2(h, axes=(1, 2))
        low = jnp.stack([spectrum[:, :MODES, :MODES], spectrum[:, -MODES:, :MODES]], axis=1)
        low = jnp.einsum("bsxyc,sxycd->bsxyd", low, self.weight[...])
        filtered = jnp.zeros_like(spectrum).at[:, :MODES, :MODES].set(low[:, 0]).at[:, -MODES:, :MODES].set(low[:, 1])
        return jax.nn.gelu(jnp.fft.irfft2(filtered, h.shape[1:3], axes=(1, 2)) + self.pointwise(h))


class FourierOperator(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.lift = nnx.Linear(1, CHANNELS, rngs=rngs)
        self.first, self.second = SpectralLayer(rngs), SpectralLayer(rngs)
        self.project = nnx.Linear(CHANNELS, 1, rngs=rngs)

    def __call__(self, field):
        return self.project(self.second(self.first(self.lift(field))))


def make():
    return FourierOperator(nnx.Rngs(0))


def batch():
    return synthetic.blobs(64, 16)[..., None]


def loss(moved, field):
    return jnp.mean((moved - jnp.roll(field, (3, 2), axis=(1, 2))) ** 2)
