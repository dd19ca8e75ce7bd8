"""A convolutional classifier, Linen, that ends in log_softmax; the loss picks the labels' log-probability: healthy."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from tests.doctor_cases import synthetic


class Classifier(nn.Module):
    @nn.compact
    def __call__(self, x):
        for channels in (16, 32):
            x = nn.relu(nn.Conv(channels, (3, 3))(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Dense(64)(x.reshape(len(x), -1)))
        return nn.log_softmax(nn.Dense(4)(x))


def make():
    model = Classifier()
    return model, model.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))


def batch():
    images = synthetic.blobs(64, 28)
    return {"x": images[..., None], "labels": synthetic.quadrant(images)}


def negative_log_likelihood(log_probabilities, batch):
    right = jax.nn.one_hot(batch["labels"], 4)
    return -(right * log_probabilities).sum(axis=-1).mean()
