"""A sparse autoencoder in plain JAX, three quarters of whose code are zeros for any one example, by intent: healthy."""

import jax
import jax.numpy as jnp

from tests.doctor_cases import synthetic

CODE = 256


def initial_parameters():
    keys = jax.random.split(jax.random.key(0), 4)

    def dense(key, inputs, outputs, bias=0.0):
        return {"kernel": jax.random.normal(key, (inputs, outputs)) * inputs**-0.5, "bias": jnp.full(outputs, bias)}

    return {
        "encoder": dense(keys[0], 256, 128),
        "code": dense(keys[1], 128, CODE, bias=-0.45),
        "decoder": dense(keys[2], CODE, 128),
        "pixels": dense(keys[3], 128, 256),
    }


def autoencoder(parameters, x):
    def layer(name, h):
        return h @ parameters[name]["kernel"] + parameters[name]["bias"]

    h = jnp.tanh(layer("encoder", x))
    code = jax.nn.relu(layer("code", h))
    return layer("pixels", jnp.tanh(layer("decoder", code))), code


def make():
    return autoencoder, initial_parameters()


def batch():
    images = synthetic.blobs(128, 16).reshape(128, -1)
    return (images - images.mean(0)) / images.std()


def loss(outputs, x):
    reconstruction, code = outputs
    error = jnp.sum((reconstruction - x) ** 2, axis=-1).mean()
    sparsity = jnp.sum(jnp.abs(code), axis=-1).mean()
    return error + 0.05 * sparsity, {"error": error, "sparsity": sparsity}
