"""Twelve classifiers of MNIST's images, Flax's defaults where nothing is said, and what they reach.

Each is trained for 300 steps of Adam at 1e-3 with batches of 128; images lie in [0, 1] and are not centred.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

CLASSES = 10
SIDE = 28


class Network(NamedTuple):
    """A classifier and what is known of it.

    Attributes:
        name: In words.
        module: Linen, from images (batch, 784) to logits.
        least_accuracy: On the test images after the training above.
        most_accuracy: Likewise.
        words: Those of which a diagnosis of its first weights may give one.
    """

    name: str
    module: nn.Module
    least_accuracy: float
    most_accuracy: float
    words: tuple[str, ...] = ("healthy",)


class Dense(nn.Module):
    """`depth` dense layers of `width`, of which a normalization may follow each."""

    depth: int
    width: int
    activation: Callable[[jax.Array], jax.Array]
    kernel_init: Any = nn.linear.default_kernel_init
    normalized: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for _ in range(self.depth):
            x = nn.Dense(self.width, kernel_init=self.kernel_init)(x)
            x = nn.BatchNorm(use_running_average=False)(x) if self.normalized else x
            x = self.activation(x)
        return nn.Dense(CLASSES)(x)


class Pooled(nn.Module):
    """Two convolutions, each followed by pooling, and a dense layer."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.reshape(-1, SIDE, SIDE, 1)
        for channels in (32, 64):
            x = nn.max_pool(nn.relu(nn.Conv(channels, (3, 3))(x)), (2, 2), (2, 2))
        return nn.Dense(CLASSES)(nn.relu(nn.Dense(256)(x.reshape(len(x), -1))))


class GlobalMean(nn.Module):
    """Three convolutions, each followed by pooling, and the mean over the image."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.reshape(-1, SIDE, SIDE, 1)
        for channels in (16, 32, 64):
            x = nn.max_pool(nn.relu(nn.Conv(channels, (3, 3))(x)), (2, 2), (2, 2))
        return nn.Dense(CLASSES)(x.mean((1, 2)))


class Rows(nn.Module):
    """A GRU over the image's rows, whose last state is read."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        states = nn.RNN(nn.GRUCell(64))(x.reshape(-1, SIDE, SIDE))
        return nn.Dense(CLASSES)(jnp.asarray(states)[:, -1])


class Transformer(nn.Module):
    """Four blocks that normalize before they look, over the image's rows."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Dense(64)(x.reshape(-1, SIDE, SIDE))
        x = x + self.param("position", nn.initializers.normal(0.02), (SIDE, 64))
        for _ in range(4):
            x = x + nn.MultiHeadDotProductAttention(4)(nn.LayerNorm()(x))
            x = x + nn.Dense(64)(nn.gelu(nn.Dense(256)(nn.LayerNorm()(x))))
        return nn.Dense(CLASSES)(nn.LayerNorm()(x).mean(1))


_HE = nn.initializers.he_normal()

NETWORKS = (
    Network("2 convolutions with pooling, dense 256", Pooled(), 0.97, 1.0),
    Network("6 dense 256, ReLU, batch normalization", Dense(6, 256, nn.relu, normalized=True), 0.95, 1.0),
    Network("6 dense 256, ReLU, He", Dense(6, 256, nn.relu, _HE), 0.92, 1.0),
    Network("6 dense 256, GELU", Dense(6, 256, nn.gelu), 0.92, 1.0),
    Network("20 dense 256, ReLU, He", Dense(20, 256, nn.relu, _HE), 0.90, 1.0),
    Network("6 dense 256, tanh", Dense(6, 256, nn.tanh), 0.92, 1.0),
    Network("4 pre-LN transformer blocks of 64", Transformer(), 0.90, 1.0),
    Network("2 dense 256, sigmoid", Dense(2, 256, nn.sigmoid), 0.85, 1.0),
    Network("GRU 64 over 28 rows", Rows(), 0.85, 1.0),
    Network("3 convolutions (16, 32, 64), global mean", GlobalMean(), 0.85, 1.0),
    Network("40 dense 64, ReLU, He", Dense(40, 64, nn.relu, _HE), 0.3, 0.9),
    Network("8 dense 256, sigmoid", Dense(8, 256, nn.sigmoid), 0.0, 0.85, ("vanishing",)),
)


def loss(outputs: Any, labels: jax.Array) -> jax.Array:
    """Cross-entropy in nats, the mean over examples."""
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def accuracy(outputs: Any, labels: jax.Array) -> jax.Array:
    """The share of examples whose class is the likeliest."""
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    return (jnp.argmax(logits, -1) == labels).mean()
