"""A language model of three pre-norm blocks, NNX: a stop_gradient of an older experiment still stands between two."""

import jax
import optax
from flax import nnx

from tests.doctor_cases import synthetic


class Block(nnx.Module):
    def __init__(self, width: int, rngs: nnx.Rngs):
        self.norm_1, self.norm_2 = nnx.LayerNorm(width, rngs=rngs), nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(num_heads=4, in_features=width, decode=False, rngs=rngs)
        self.up, self.down = nnx.Linear(width, 2 * width, rngs=rngs), nnx.Linear(2 * width, width, rngs=rngs)

    def __call__(self, h, mask):
        h = h + self.attention(self.norm_1(h), mask=mask)
        return h + self.down(nnx.gelu(self.up(self.norm_2(h))))


class LanguageModel(nnx.Module):
    def __init__(self, width: int, rngs: nnx.Rngs):
        self.embed = nnx.Embed(32, width, rngs=rngs)
        self.position = nnx.Embed(24, width, rngs=rngs)
        self.blocks = nnx.List([Block(width, rngs) for _ in range(3)])
        self.norm, self.head = nnx.LayerNorm(width, rngs=rngs), nnx.Linear(width, 32, rngs=rngs)

    def __call__(self, tokens):
        h = self.embed(tokens) + self.position.embedding[: tokens.shape[1]]
        mask = nnx.make_causal_mask(tokens)
        h = self.blocks[0](h, mask)
        h = jax.lax.stop_gradient(h)
        h = self.blocks[1](h, mask)
        return self.head(self.norm(self.blocks[2](h, mask)))


def make():
    return LanguageModel(48, nnx.Rngs(0))


def batch():
    return synthetic.counting(64, 24)


def loss(logits, tokens):
    return optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:]).mean()
