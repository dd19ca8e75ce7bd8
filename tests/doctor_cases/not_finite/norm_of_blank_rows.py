"""A patch mixer, Linen, under nn.remat, with a LayerNorm of its own without epsilon: blank patches have variance 0."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class Norm(nn.Module):
    @nn.compact
    def __call__(self, h):
        scale = self.param("scale", nn.initializers.ones, h.shape[-1:])
        centred = h - h.mean(-1, keepdims=True)
        variance = jnp.mean(centred**2, axis=-1, keepdims=True)
        return scale * centred * jax.lax.rsqrt(variance)


class Block(nn.Module):
    @nn.compact
    def __call__(self, h):
        up = nn.gelu(nn.Dense(64, name="up")(Norm(name="norm")(h)))
        return h + nn.Dense(h.shape[-1], name="down")(up)


class Mixer(nn.Module):
    @nn.compact
    def __call__(self, images):
        patches = images.reshape(-1, 4, 7, 4, 7).swapaxes(2, 3).reshape(-1, 16, 49)
        h = nn.Dense(32, use_bias=False, name="embed")(patches)
        for layer in range(3):
            h = nn.remat(Block)(name=f"block_{layer}")(h)
        return nn.Dense(4, name="head")(h.reshape(len(h), -1))


def make():
    model = Mixer()
    return model, model.init(jax.random.key(0), jnp.ones((2, 28, 28)))


def batch():
    images = synthetic.blobs(64)
    return {"images": jnp.where(images < 0.02, 0.0, images), "labels": synthetic.quadrant(images)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
