"""A tanh network in plain JAX on pixels from 0 to 255 that nobody divided by 255: its first layer is saturated."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tests.doctor_cases import synthetic


def init_mlp(key, sizes=(784, 128, 128, 4)):
    names = ("first", "second", "logits")
    layers = {}
    for name, layer_key, inputs, outputs in zip(names, jax.random.split(key, 3), sizes[:-1], sizes[1:], strict=True):
        kernel = jax.random.normal(layer_key, (inputs, outputs)) / np.sqrt(inputs)
        layers[name] = {"kernel": kernel, "bias": jnp.zeros(outputs)}
    return layers


def mlp(params, pixels):
    h = jnp.tanh(pixels @ params["first"]["kernel"] + params["first"]["bias"])
    h = jnp.tanh(h @ params["second"]["kernel"] + params["second"]["bias"])
    return h @ params["logits"]["kernel"] + params["logits"]["bias"]


def make():
    return mlp, init_mlp(jax.random.key(0))


def batch():
    images = synthetic.blobs(128, 28)
    return {"pixels": np.round(255 * images).reshape(128, 784), "labels": synthetic.quadrant(images)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
