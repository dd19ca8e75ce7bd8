"""Five deep models that a diagnosis must not take long for."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tests.doctor_cases import synthetic

KEY = jax.random.key(0)


class Residual(nn.Module):
    """50 convolutions of 16 channels, two to a block with a skip, batch normalization."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(16, (3, 3))(x)
        for _ in range(24):
            h = nn.relu(nn.BatchNorm(use_running_average=False)(nn.Conv(16, (3, 3))(x)))
            x = nn.relu(x + nn.BatchNorm(use_running_average=False)(nn.Conv(16, (3, 3))(h)))
        return nn.Dense(4)(x.mean((1, 2)))


class Transformer(nn.Module):
    """12 pre-LN blocks of width 64 over 16 patches."""

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(64)(x.reshape(len(x), 16, -1))
        for _ in range(12):
            x = x + nn.MultiHeadDotProductAttention(4)(nn.LayerNorm()(x))
            x = x + nn.Dense(64)(nn.gelu(nn.Dense(256)(nn.LayerNorm()(x))))
        return nn.Dense(4)(nn.LayerNorm()(x).mean(1))


class Dense(nn.Module):
    """100 dense layers of width 64."""

    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)
        for _ in range(100):
            x = nn.gelu(nn.Dense(64, kernel_init=nn.initializers.orthogonal(1.5))(x))
        return nn.Dense(4)(x)


class Recurrent(nn.Module):
    """An LSTM over 200 steps, whose last output is read."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(4)(jnp.asarray(nn.RNN(nn.LSTMCell(64))(x))[:, -1])


class Modulated(nn.Module):
    """6 blocks, each modulated by one vector, as in FiLM."""

    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)
        condition = nn.gelu(nn.Dense(32)(x[:, :64]))
        h = nn.Dense(64)(x)
        for _ in range(6):
            scale, shift = jnp.split(nn.Dense(128)(condition), 2, -1)
            u = nn.LayerNorm()(h) * (1 + scale) + shift
            h = h + nn.Dense(64)(nn.gelu(nn.Dense(128)(u)))
        return nn.Dense(4)(h)


def images():
    """128 images of 32 x 32 in three colours."""
    return jnp.asarray(synthetic.photographs(128))


def series():
    """128 series of 200 steps."""
    return jnp.asarray(synthetic.waves(128, 200))


MODELS = {
    "50 convolutions with skips": (Residual, images),
    "12 transformer blocks": (Transformer, images),
    "100 dense layers": (Dense, images),
    "an LSTM over 200 steps": (Recurrent, series),
    "6 blocks modulated by one vector": (Modulated, images),
}


def made(name):
    """A model with its first variables, and its batch."""
    module, data = MODELS[name]
    batch = data()
    return (module(), jax.jit(module().init)(KEY, batch[:2])), batch


def loss(outputs):
    """Cross-entropy in nats to classes that are there by chance."""
    labels = jnp.asarray(np.random.default_rng(0).integers(0, 4, len(outputs)))
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(outputs), labels[:, None], 1))
