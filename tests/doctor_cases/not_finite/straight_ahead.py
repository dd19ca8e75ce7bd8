"""Gaze directions, plain JAX, by the angle between unit vectors: the first guess is exact for some, arccos is at 1."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.doctor_cases import synthetic


def make():
    first, second = jax.random.split(jax.random.key(0))
    params = {
        "dense_1": {"w": jax.random.normal(first, (256, 64)) / 16, "b": jnp.zeros(64)},
        "dense_2": {"w": jax.random.normal(second, (64, 32)) / 8, "b": jnp.zeros(32)},
        # The first guess of all is straight ahead.
        "head": {"w": jnp.zeros((32, 3)), "b": jnp.array([0.0, 0.0, 1.0])},
    }
    return look, params


def look(params, images):
    h = jnp.tanh(images.reshape(len(images), -1) @ params["dense_1"]["w"] + params["dense_1"]["b"])
    h = jnp.tanh(h @ params["dense_2"]["w"] + params["dense_2"]["b"])
    direction = h @ params["head"]["w"] + params["head"]["b"]
    return direction / jnp.linalg.norm(direction, axis=-1, keepdims=True)


def batch():
    images = synthetic.blobs(64, 16)
    across = images.mean(1) @ np.linspace(-1, 1, 16) / images.mean((1, 2)) / 16
    angle = np.where(abs(across) < 0.1, 0, across)
    gaze = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], axis=-1)
    return {"images": images, "gaze": gaze.astype(np.float32)}


def loss(direction, batch):
    cosine = jnp.sum(direction * batch["gaze"], axis=-1)
    angle = jnp.arccos(cosine)
    return jnp.mean(angle)
