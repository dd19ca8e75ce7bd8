"""A simple tanh recurrence over 48 steps, NNX, read at its end, with small recurrent weights: it forgets the start."""

import jax.numpy as jnp
import optax
from flax import nnx

from tests.doctor_cases import synthetic


class WaveClassifier(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        cell = nnx.SimpleCell(2, 32, recurrent_kernel_init=nnx.initializers.orthogonal(0.8), rngs=rngs)
        self.reader = nnx.RNN(cell, rngs=rngs)
        self.head = nnx.Linear(32, 2, rngs=rngs)

    def __call__(self, signal):
        states = jnp.asarray(self.reader(signal))
        return self.head(states[:, -1])


def make():
    return WaveClassifier(nnx.Rngs(0))


def batch():
    signal = synthetic.waves(128, 48, 2)
    rising = signal[:, 1, 0] > signal[:, 0, 0]
    return {"signal": signal, "rising": rising.astype(jnp.int32)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["rising"]).mean()
