"""A convolutional classifier, NNX, trained on its accuracy: the argmax in the loss gives it no gradient at all."""

import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic


class Classifier(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv_1 = nnx.Conv(1, 16, (5, 5), strides=2, rngs=rngs)
        self.conv_2 = nnx.Conv(16, 32, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.LayerNorm(32, rngs=rngs)
        self.head = nnx.Linear(7 * 7 * 32, 4, rngs=rngs)

    def __call__(self, images):
        h = nnx.gelu(self.conv_1(images[..., None]))
        h = nnx.gelu(self.norm(self.conv_2(h)))
        return self.head(h.reshape(len(images), -1))


def make():
    return Classifier(nnx.Rngs(0))


def batch():
    images = synthetic.blobs(128)
    return {"images": images, "labels": synthetic.quadrant(images)}


def loss(logits, batch):
    guess = jnp.argmax(logits, axis=-1)
    right = (guess == batch["labels"]).astype(jnp.float32)
    return 1 - right.mean()
