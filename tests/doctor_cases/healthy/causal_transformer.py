"""A small pre-LN causal transformer over tokens, NNX, whose mask is minus infinity: healthy."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from tests.doctor_cases import synthetic

VOCABULARY, LENGTH, WIDTH, HEADS = 32, 24, 48, 4


class Block(nnx.Module):
    def __init__(self, rngs):
        self.norm_1, self.norm_2 = nnx.LayerNorm(WIDTH, rngs=rngs), nnx.LayerNorm(WIDTH, rngs=rngs)
        self.qkv, self.project = nnx.Linear(WIDTH, 3 * WIDTH, rngs=rngs), nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.up, self.down = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs), nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def attend(self, h):
        q, k, v = (part.reshape(*h.shape[:2], HEADS, -1) for part in jnp.split(self.qkv(h), 3, axis=-1))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / (WIDTH / HEADS) ** 0.5
        weights = jax.nn.softmax(jnp.where(jnp.tri(LENGTH, dtype=bool), scores, -jnp.inf))
        return self.project(jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(h.shape))

    def __call__(self, h):
        h = h + self.attend(self.norm_1(h))
        return h + self.down(jax.nn.gelu(self.up(self.norm_2(h))))


class LanguageModel(nnx.Module):
    def __init__(self, rngs):
        self.tokens, self.positions = nnx.Embed(VOCABULARY, WIDTH, rngs=rngs), nnx.Embed(LENGTH, WIDTH, rngs=rngs)
        self.blocks, self.norm = nnx.Sequential(Block(rngs), Block(rngs)), nnx.LayerNorm(WIDTH, rngs=rngs)

    def __call__(self, tokens):
        h = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))
        return self.tokens.attend(self.norm(self.blocks(h)))


def make():
    return LanguageModel(nnx.Rngs(0))


def batch():
    return synthetic.counting(64, LENGTH, VOCABULARY)


def next_token(logits, tokens):
    return optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:]).mean()
