"""A sequence-to-sequence autoencoder of text, plain JAX: the decoder says a summary by argmax, a reader goes by it."""

import jax
import jax.numpy as jnp
import optax

from tests.doctor_cases import synthetic

SIZES = {"embedding": (32, 40), "encoder": (80, 40), "decoder": (80, 40), "words": (40, 32)}
SIZES |= {"reader": (80, 40), "writer": (80, 40), "out": (40, 32)}


def make():
    keys = dict(zip(SIZES, jax.random.split(jax.random.key(0), len(SIZES)), strict=True))
    return rewrite, {name: jax.random.normal(keys[name], size) / size[0] ** 0.5 for name, size in SIZES.items()}


def cell(kernel, state, word):
    state = jnp.tanh(jnp.concatenate([state, word], axis=-1) @ kernel)
    return state, state


def rewrite(params, tokens):
    words = params["embedding"][tokens.T]
    zeros = jnp.zeros_like(words[0])
    thought, _ = jax.lax.scan(lambda state, word: cell(params["encoder"], state, word), zeros, words)

    def say(carry, _):
        state, _ = cell(params["decoder"], *carry)
        token = jnp.argmax(state @ params["words"], axis=-1)
        word = params["embedding"][token]
        return (state, word), word

    _, summary = jax.lax.scan(say, (thought, zeros), length=6)
    read, _ = jax.lax.scan(lambda state, word: cell(params["reader"], state, word), zeros, summary)
    before = jnp.concatenate([zeros[None], words[:-1]])
    _, states = jax.lax.scan(lambda state, word: cell(params["writer"], state, word), read, before)
    return states.swapaxes(0, 1) @ params["out"]


def batch():
    return synthetic.counting(64, 16)


def loss(logits, tokens):
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens).mean()
