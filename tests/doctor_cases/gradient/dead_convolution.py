"""A ReLU convolutional classifier, Linen, in which one layer has a bias of -30: none of its units ever fires."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class Classifier(nn.Module):
    @nn.compact
    def __call__(self, x):
        he = nn.initializers.he_normal()
        x = nn.relu(nn.Conv(16, (3, 3), kernel_init=he, name="edges")(x))
        x = nn.relu(nn.Conv(16, (3, 3), strides=2, kernel_init=he, name="corners")(x))
        shut = nn.initializers.constant(-30.0)
        x = nn.relu(nn.Conv(32, (3, 3), kernel_init=he, bias_init=shut, name="parts")(x))
        x = nn.relu(nn.Conv(32, (3, 3), strides=2, kernel_init=he, name="objects")(x))
        return nn.Dense(4, name="logits")(x.reshape(x.shape[0], -1))


def make():
    model = Classifier()
    return model, model.init(jax.random.key(0), jnp.ones((1, 16, 16, 1)))


def batch():
    images = synthetic.blobs(64, 16)
    return {"x": images[..., None], "y": synthetic.quadrant(images)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()
