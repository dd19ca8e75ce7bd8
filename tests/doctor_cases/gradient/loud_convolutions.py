"""Ten plain convolutions without normalisation, Linen, weights three times as wide as He's: the gradient explodes."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic

# He's variance is 2 / fan_in.
LOUD = nn.initializers.variance_scaling(2.0 * 3**2, "fan_in", "normal")


class PlainNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        for index in range(10):
            x = nn.relu(nn.Conv(12, (3, 3), kernel_init=LOUD, name=f"conv_{index}")(x))
        return nn.Dense(4, name="head")(x.mean(axis=(1, 2)))


def make():
    net = PlainNet()
    return net, net.init(jax.random.key(0), jnp.zeros((1, 16, 16, 1)))


def batch():
    images = synthetic.blobs(64, 16)
    return {"x": images[..., None], "labels": synthetic.quadrant(images)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
