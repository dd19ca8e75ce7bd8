"""Residual layers stacked by nn.scan over nn.remat, Linen, with dropout and a required `deterministic`: healthy."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from tests.doctor_cases import synthetic


class Layer(nn.Module):
    width: int
    deterministic: bool

    @nn.compact
    def __call__(self, h, _):
        y = nn.gelu(nn.Dense(2 * self.width, name="up")(nn.LayerNorm(name="norm")(h)))
        y = nn.Dropout(0.1, deterministic=self.deterministic)(y)
        return h + nn.Dense(self.width, name="down")(y), None


class Denoiser(nn.Module):
    width: int = 64
    depth: int = 6

    @nn.compact
    def __call__(self, x, *, deterministic: bool):
        h = nn.Dense(self.width, name="embed")(x.reshape(len(x), -1))
        layers = nn.scan(
            nn.remat(Layer, prevent_cse=False),
            variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True},
            length=self.depth,
        )
        h, _ = layers(self.width, deterministic, name="layers")(h, None)
        return nn.Dense(x[0].size, name="out")(nn.LayerNorm(name="norm")(h)).reshape(x.shape)


def make():
    model = Denoiser()
    return model, model.init(jax.random.key(0), jnp.zeros((1, 16, 16)), deterministic=True)


def batch():
    clean = synthetic.blobs(128, 16)
    noise = jax.random.normal(jax.random.key(8), clean.shape)
    return {"x": clean + 0.3 * noise, "clean": clean}


def loss(outputs, batch):
    return jnp.mean((outputs - batch["clean"]) ** 2)
