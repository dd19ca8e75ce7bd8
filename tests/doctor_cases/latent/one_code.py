"""A convolutional VQ-VAE, Linen, whose codes lie far from what the encoder gives, so that one code takes everything."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from tests.doctor_cases import synthetic


class Quantiser(nn.Module):
    codes: int
    width: int

    @nn.compact
    def __call__(self, h):
        book = self.param("book", nn.initializers.uniform(1 / self.codes), (self.codes, self.width))
        distance = jnp.sum((h[..., None, :] - book) ** 2, axis=-1)
        code = distance.argmin(-1)
        chosen = book[code]
        commitment = jnp.mean((jax.lax.stop_gradient(chosen) - h) ** 2)
        codebook = jnp.mean((chosen - jax.lax.stop_gradient(h)) ** 2)
        return h + jax.lax.stop_gradient(chosen - h), code, codebook + 0.25 * commitment


class VQVAE(nn.Module):
    @nn.compact
    def __call__(self, images):
        h = nn.relu(nn.Conv(24, (4, 4), 2, name="down_1")(images[..., None]))
        h = nn.relu(nn.Conv(32, (4, 4), 2, name="down_2")(h))
        h = nn.Conv(8, (1, 1), bias_init=nn.initializers.constant(-2.0), name="to_code")(h)
        quantised, code, extra = Quantiser(32, 8, name="quantiser")(h)
        h = nn.relu(nn.Conv(32, (3, 3), name="from_code")(quantised))
        h = nn.relu(nn.ConvTranspose(24, (4, 4), (2, 2), name="up_1")(h))
        image = nn.ConvTranspose(1, (4, 4), (2, 2), name="up_2")(h)[..., 0]
        return {"image": image, "code": code, "extra": extra}


def make():
    model = VQVAE()
    return model, model.init(jax.random.key(0), jnp.zeros((2, 28, 28)))


def batch():
    return synthetic.blobs(64)


def loss(outputs, images):
    return jnp.mean((outputs["image"] - images) ** 2) + outputs["extra"]
