"""An LSTM classifier of padded sequences, Linen, pooled by attention with minus infinity on the padding: healthy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic

LENGTH = 40


class SequenceClassifier(nn.Module):
    width: int = 32

    @nn.compact
    def __call__(self, sequences, lengths):
        states = nn.RNN(nn.OptimizedLSTMCell(self.width), name="lstm")(sequences, seq_lengths=lengths)
        scores = nn.Dense(1, name="score")(nn.tanh(nn.Dense(16, name="query")(states))).squeeze(-1)
        there = jnp.arange(sequences.shape[1]) < lengths[:, None]
        weights = nn.softmax(jnp.where(there, scores, -jnp.inf), axis=-1)
        pooled = jnp.sum(weights[..., None] * jnp.asarray(states), axis=1)
        return nn.Dense(2, name="head")(nn.relu(nn.Dense(32, name="pooled")(pooled)))


def make():
    model = SequenceClassifier()
    return model, model.init(jax.random.key(0), jnp.zeros((1, LENGTH, 2)), jnp.ones(1, jnp.int32))


def batch():
    sequences = synthetic.waves(64, LENGTH)
    # A fast wave turns more from one step to the next.
    turns = np.abs(np.diff(sequences, axis=1)).mean((1, 2))
    # Longer ones were cut.
    lengths = np.minimum(np.random.default_rng(5).integers(LENGTH // 3, 2 * LENGTH, 64), LENGTH).astype(np.int32)
    sequences[np.arange(LENGTH) >= lengths[:, None]] = 0.0
    return {"sequences": sequences, "lengths": lengths, "labels": (turns > np.median(turns)).astype(np.int32)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
