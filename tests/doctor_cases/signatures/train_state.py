"""A train state's apply_fn and its variables, with batch_stats, of a model that must be told `train`: healthy."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax.training.train_state import TrainState

from tests.doctor_cases import synthetic


class Classifier(nn.Module):
    classes: int = 4

    @nn.compact
    def __call__(self, x, train: bool):
        for features in (16, 32):
            x = nn.Conv(features, (3, 3), strides=(2, 2), use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        x = nn.relu(nn.Dense(64)(x.reshape((x.shape[0], -1))))
        return nn.Dense(self.classes)(nn.Dropout(0.2, deterministic=not train)(x))


class State(TrainState):
    batch_stats: Any


def create_state():
    model = Classifier()
    variables = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 1)), train=False)
    return State.create(
        apply_fn=model.apply, params=variables["params"], batch_stats=variables["batch_stats"], tx=optax.adam(1e-3)
    )


def make():
    state = create_state()
    return state.apply_fn, {"params": state.params, "batch_stats": state.batch_stats}


def batch():
    images = synthetic.blobs(64, 16)
    return {"x": images[..., None], "label": synthetic.quadrant(images)}


def cross_entropy(logits, batch):
    return optax.softmax_cross_entropy(logits, jax.nn.one_hot(batch["label"], 4)).mean()
