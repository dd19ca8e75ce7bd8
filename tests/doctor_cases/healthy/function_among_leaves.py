"""A registered dataclass with its activation and its number of steps among the leaves of its tree: healthy."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import optax

from tests.doctor_cases import synthetic


@jax.tree_util.register_dataclass
@dataclass
class Linear:
    weight: jax.Array

    def __call__(self, x):
        return x @ self.weight


@jax.tree_util.register_dataclass
@dataclass
class Refiner:
    embed: Linear
    refine: Linear
    head: Linear
    activation: Callable[[jax.Array], jax.Array]
    steps: int

    def __call__(self, x):
        h = self.activation(self.embed(x.ravel()))
        for _ in range(self.steps):
            h = h + 0.5 * self.activation(self.refine(h))
        return self.head(h)


def make():
    he, keys = jax.nn.initializers.he_normal(), jax.random.split(jax.random.key(0), 3)
    sizes = [(256, 64), (64, 64), (64, 4)]
    embed, refine, head = (Linear(he(k, size)) for k, size in zip(keys, sizes, strict=True))
    return (lambda model, images: jax.vmap(model)(images)), Refiner(embed, refine, head, jax.nn.relu, 3)


def batch():
    images = synthetic.blobs(128, 16)
    return {"images": images, "labels": synthetic.quadrant(images)}


def loss(logits, batch):
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
