"""A message-passing network, Linen, over graphs of nodes and integer edges, a graph for each example: healthy."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

NODES, EDGES, FEATURES = 12, 30, 6


class MessagePassing(nn.Module):
    width: int

    @nn.compact
    def __call__(self, h, edges):
        sender, receiver = edges[..., 0], edges[..., 1]
        sent = jnp.take_along_axis(h, sender[..., None], axis=1)
        received = jnp.take_along_axis(h, receiver[..., None], axis=1)
        message = nn.relu(nn.Dense(self.width, name="message")(jnp.concatenate([sent, received], axis=-1)))
        total = jax.vmap(lambda m, r: jax.ops.segment_sum(m, r, num_segments=NODES))(message, receiver)
        return h + nn.relu(nn.Dense(self.width, name="update")(jnp.concatenate([h, total / 2], axis=-1)))


class GraphRegressor(nn.Module):
    width: int = 32

    @nn.compact
    def __call__(self, nodes, edges):
        h = nn.Dense(self.width, name="embed")(nodes)
        for hop in range(3):
            h = MessagePassing(self.width, name=f"hop_{hop}")(h, edges)
        return nn.Dense(1, name="readout")(h.mean(axis=1)).squeeze(-1)


def make():
    given = batch()
    model = GraphRegressor()
    return model, model.init(jax.random.key(0), given["nodes"], given["edges"])


def batch():
    draw = np.random.default_rng(9)
    nodes = draw.normal(size=(64, NODES, FEATURES)).astype(np.float32)
    edges = draw.integers(0, NODES, (64, EDGES, 2)).astype(np.int32)
    ends = [np.take_along_axis(nodes[..., 0], edges[..., end], axis=1) for end in (0, 1)]
    return {"nodes": nodes, "edges": edges, "energy": (ends[0] * ends[1]).mean(axis=1)}


def loss(predicted, batch):
    return jnp.mean((predicted - batch["energy"]) ** 2)
