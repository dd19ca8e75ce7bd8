"""The same training as a plain Flax loop: a jitted step, a Python loop over numpy batches."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from bench.data.digits import digits
from bench.speed.setting import BATCH
from vae_jax.models.vae import VAEArchitecture


class PlainTower(nnx.Module):
    """A tanh tower as a Flax tutorial has it."""

    def __init__(self, inputs: int, outputs: int, depth: int, width: int, rngs: nnx.Rngs):
        orthogonal = jax.nn.initializers.orthogonal()
        sizes = (inputs, *[width] * (depth + 1))
        self.layers = nnx.List(
            [nnx.Linear(i, o, kernel_init=orthogonal, rngs=rngs) for i, o in itertools.pairwise(sizes)]
        )
        self.head = nnx.Linear(width, outputs, kernel_init=orthogonal, rngs=rngs)

    def __call__(self, h: jax.Array) -> jax.Array:
        for layer in self.layers:
            h = jnp.tanh(layer(h))
        return self.head(h)


class PlainVAE(nnx.Module):
    """Two such towers."""

    def __init__(self, architecture: VAEArchitecture, rngs: nnx.Rngs):
        sizes = (architecture.depth, architecture.width, rngs)
        self.encoder = PlainTower(architecture.data, 2 * architecture.latent, *sizes)
        self.decoder = PlainTower(architecture.latent, architecture.data, *sizes)


def flax_arm(architecture: VAEArchitecture, draws: int) -> Callable[[int, float], Any]:
    """A function that begins a training in Flax; all that it begins share their compiled steps.

    Args:
        architecture: The model's sizes.
        draws: Draws of z for each held-out example.
    """
    dataset = digits()
    held_out = {
        name: jnp.asarray(np.tile(getattr(dataset, name), (draws, 1))) for name in ("validation", "test")
    }  # fmt: skip
    mean = jnp.asarray(dataset.mean)
    graph = nnx.graphdef(nnx.eval_shape(lambda: PlainVAE(architecture, nnx.Rngs(0))))

    def loss(parameters: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        model = nnx.merge(graph, parameters)
        posterior_mean, log_var = jnp.split(model.encoder(x - mean), 2, axis=1)
        z = posterior_mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, posterior_mean.shape)
        reconstruction = optax.sigmoid_binary_cross_entropy(model.decoder(z), x).sum()
        kl = 0.5 * (posterior_mean**2 + jnp.exp(log_var) - 1 - log_var).sum()
        return (reconstruction + kl) / len(x)

    evaluate = jax.jit(loss)

    # Both make the loop faster: arguments given up to their successors, and a key that costs no dispatch of its own.
    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(parameters: Any, state: Any, batch: jax.Array, key: jax.Array, count: int, rate: float) -> Any:
        observe, noise = jax.random.split(jax.random.fold_in(key, count))
        x = jax.random.bernoulli(observe, batch).astype(jnp.float32)
        gradient = jax.grad(loss)(parameters, x, noise)
        updates, state = optax.adam(rate).update(gradient, state, parameters)
        norms = [jnp.linalg.norm(leaf) for leaf in jax.tree.leaves(gradient) if leaf.ndim == 2]
        return optax.apply_updates(parameters, updates), state, norms

    class FlaxTraining:
        def __init__(self, seed: int, learning_rate: float):
            self.parameters = nnx.split(PlainVAE(architecture, nnx.Rngs(seed)))[1]
            self.state = optax.adam(learning_rate).init(self.parameters)
            self.key, self.draw = jax.random.key(seed), np.random.default_rng(seed)
            self.learning_rate, self.count = learning_rate, 0

        def step(self, record: bool) -> Any:
            # Norms in every step cost nothing to be measured, and a second program without them seconds to compile.
            batch = dataset.train[self.draw.integers(len(dataset.train), size=BATCH)]
            self.parameters, self.state, norms = step(
                self.parameters, self.state, batch, self.key, self.count, self.learning_rate
            )
            self.count += 1
            return norms

        def negative_elbo(self, split: str) -> Any:
            return evaluate(self.parameters, held_out[split], self.key)

    return FlaxTraining
