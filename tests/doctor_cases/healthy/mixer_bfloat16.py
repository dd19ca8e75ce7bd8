"""An MLP-mixer over patches, NNX, computed in bfloat16 with its parameters in float32: healthy."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from tests.doctor_cases import synthetic

PATCH, TOKENS, WIDTH = 7, 16, 48


class MixerBlock(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        dense = partial(nnx.Linear, dtype=jnp.bfloat16, rngs=rngs)
        self.token_norm, self.channel_norm = (nnx.LayerNorm(WIDTH, dtype=jnp.bfloat16, rngs=rngs) for _ in range(2))
        self.token_up, self.token_down = dense(TOKENS, 32), dense(32, TOKENS)
        self.channel_up, self.channel_down = dense(WIDTH, 96), dense(96, WIDTH)

    def __call__(self, h):
        tokens = self.token_norm(h).swapaxes(1, 2)
        h = h + self.token_down(jax.nn.gelu(self.token_up(tokens))).swapaxes(1, 2)
        return h + self.channel_down(jax.nn.gelu(self.channel_up(self.channel_norm(h))))


class Mixer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.patches = nnx.Conv(1, WIDTH, (PATCH, PATCH), strides=PATCH, dtype=jnp.bfloat16, rngs=rngs)
        self.blocks, self.norm = nnx.Sequential(MixerBlock(rngs), MixerBlock(rngs)), nnx.LayerNorm(WIDTH, rngs=rngs)
        self.head = nnx.Linear(WIDTH, 4, dtype=jnp.bfloat16, rngs=rngs)

    def __call__(self, image):
        h = self.patches(image[..., None].astype(jnp.bfloat16)).reshape(len(image), TOKENS, WIDTH)
        return self.head(self.norm(self.blocks(h)).mean(axis=1))


def make():
    return Mixer(nnx.Rngs(0))


def batch():
    image = synthetic.blobs(128, 28)
    return {"image": (image - image.mean()) / image.std(), "label": synthetic.quadrant(image)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), batch["label"]).mean()
