"""A convolutional forecaster of series, Linen, sound in itself; one reading of one series is missing, a NaN."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tests.doctor_cases import synthetic


class Forecaster(nn.Module):
    @nn.compact
    def __call__(self, series):
        h = series
        for layer in range(3):
            h = nn.gelu(nn.Conv(24, (3,), padding="CAUSAL", kernel_dilation=2**layer, name=f"conv_{layer}")(h))
        return nn.Dense(series.shape[-1], name="next")(h)


def make():
    model = Forecaster()
    return model, model.init(jax.random.key(0), jnp.zeros((2, 48, 3)))


def batch():
    series = synthetic.waves(128, 48, 3)
    series[71, 30, 1] = np.nan
    return series


def loss(outputs, series):
    return jnp.mean((outputs[:, :-1] - series[:, 1:]) ** 2)
