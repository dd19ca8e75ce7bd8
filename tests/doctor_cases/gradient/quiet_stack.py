"""Twenty-four plain tanh layers run by nn.scan, each drawn with 0.3 / sqrt(fan_in): the gradient vanishes."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class Layer(nn.Module):
    width: int

    @nn.compact
    def __call__(self, h, _):
        quiet = nn.initializers.variance_scaling(0.3**2, "fan_in", "normal")
        return nn.tanh(nn.Dense(self.width, kernel_init=quiet, name="dense")(h)), None


class Stack(nn.Module):
    width: int = 64
    depth: int = 24

    @nn.compact
    def __call__(self, x):
        h = nn.tanh(nn.Dense(self.width, name="input")(x.reshape(len(x), -1)))
        scanned = nn.scan(Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=self.depth)
        h, _ = scanned(self.width, name="layers")(h, None)
        return nn.Dense(4, name="head")(h)


def make():
    stack = Stack()
    return stack, stack.init(jax.random.key(0), jnp.zeros((1, 16, 16)))


def batch():
    x = synthetic.blobs(128, 16)
    return {"x": x, "labels": synthetic.quadrant(x)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
