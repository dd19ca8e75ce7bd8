"""A U-Net of two levels that denoises images, given the timestep and a context, Linen with GroupNorm: healthy."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tests.doctor_cases import synthetic


class Block(nn.Module):
    channels: int

    @nn.compact
    def __call__(self, h, condition):
        y = nn.Conv(self.channels, (3, 3), name="conv_1")(nn.swish(nn.GroupNorm(4, name="norm_1")(h)))
        y = y + nn.Dense(self.channels, name="condition")(nn.swish(condition))[:, None, None]
        y = nn.Conv(self.channels, (3, 3), name="conv_2")(nn.swish(nn.GroupNorm(4, name="norm_2")(y)))
        return y + nn.Conv(self.channels, (1, 1), name="skip")(h)


class UNet(nn.Module):
    @nn.compact
    def __call__(self, sample, timesteps, context):
        angles = timesteps[:, None] * 1000.0 ** (-jnp.arange(8) / 8)
        time = nn.Dense(32, name="time")(jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1))
        condition = time + nn.Dense(32, name="context")(context.mean(axis=1))
        high = Block(16, name="down_1")(nn.Conv(16, (3, 3), name="input")(sample), condition)
        low = Block(32, name="down_2")(nn.avg_pool(high, (2, 2), strides=(2, 2)), condition)
        up = jax.image.resize(low, (*high.shape[:3], low.shape[-1]), "nearest")
        h = Block(16, name="up_1")(jnp.concatenate([up, high], axis=-1), condition)
        return nn.Conv(1, (3, 3), name="output")(nn.swish(nn.GroupNorm(4, name="output_norm")(h)))


def make():
    model, given = UNet(), batch()
    return model, model.init(jax.random.key(0), given["sample"], given["timesteps"], given["context"])


def batch():
    draw = np.random.default_rng(11)
    timesteps, context = draw.integers(0, 1000, 64), draw.normal(size=(64, 5, 12))
    kept, noise = np.cos(timesteps / 1000 * np.pi / 2)[:, None, None, None], draw.normal(size=(64, 16, 16, 1))
    sample = kept * (2 * synthetic.blobs(64, 16)[..., None] - 1) + np.sqrt(1 - kept**2) * noise
    given = {"sample": sample, "timesteps": timesteps, "context": context, "noise": noise}
    return {name: array.astype(np.float32) for name, array in given.items()}


def loss(predicted, batch):
    return jnp.mean((predicted - batch["noise"]) ** 2)
