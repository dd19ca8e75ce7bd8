"""An attention classifier, Linen, of eight layers without residual connections and with small values: it vanishes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic

LENGTH, WIDTH = 24, 32


class Attention(nn.Module):
    @nn.compact
    def __call__(self, h):
        query, key = nn.Dense(WIDTH, name="query")(h), nn.Dense(WIDTH, name="key")(h)
        value = nn.Dense(WIDTH, kernel_init=nn.initializers.normal(0.02), name="value")(h)
        weights = nn.softmax(query @ key.swapaxes(1, 2) / WIDTH**0.5)
        return nn.Dense(WIDTH, name="output")(weights @ value)


class Classifier(nn.Module):
    @nn.compact
    def __call__(self, sequence):
        positions = self.param("positions", nn.initializers.normal(0.1), (LENGTH, WIDTH))
        h = nn.Dense(WIDTH, name="embed")(sequence) + positions
        for index in range(8):
            h = Attention(name=f"attention_{index}")(h)
        return nn.Dense(2, name="head")(h.mean(axis=1))


def make():
    classifier = Classifier()
    return classifier, classifier.init(jax.random.key(0), jnp.zeros((1, LENGTH, 2)))


def batch():
    sequence = synthetic.waves(64, LENGTH, 2)
    energy = (np.diff(sequence, axis=1) ** 2).mean((1, 2))
    return {"sequence": sequence, "fast": (energy > np.median(energy)).astype(np.int32)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["fast"]).mean()
