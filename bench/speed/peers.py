"""The same training as people usually write it: eager PyTorch, and a plain Flax loop. Gradient norms on in both."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from bench.speed.setting import BATCH, CHUNK
from vae_jax.data import digits
from vae_jax.vae import Architecture


def torch_chunk(architecture: Architecture) -> Callable[[], None]:
    """A chunk of steps in eager PyTorch: tanh towers, orthogonal kernels, Adam, the norm of each layer's gradient."""
    import torch  # pyright: ignore[reportMissingImports]

    torch.manual_seed(0)
    width, latent = architecture.width, architecture.latent
    data = torch.tensor(digits().train)
    mean = data.mean(dim=0)

    def tower(inputs: int, outputs: int) -> Any:
        layers: list[Any] = []
        for size in (inputs, *[width] * architecture.depth):
            layers += [torch.nn.Linear(size, width), torch.nn.Tanh()]
        layers.append(torch.nn.Linear(width, outputs))
        for layer in layers:
            if isinstance(layer, torch.nn.Linear):
                torch.nn.init.orthogonal_(layer.weight)
                torch.nn.init.zeros_(layer.bias)
        return torch.nn.Sequential(*layers)

    encoder, decoder = tower(architecture.data, 2 * latent), tower(latent, architecture.data)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)

    def chunk() -> None:
        norms: list[Any] = []
        for _ in range(CHUNK):
            x = torch.bernoulli(data[torch.randint(len(data), (BATCH,))])
            posterior_mean, log_var = encoder(x - mean).chunk(2, dim=1)
            z = posterior_mean + torch.exp(0.5 * log_var) * torch.randn_like(posterior_mean)
            reconstruction = torch.nn.functional.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
            kl = 0.5 * (posterior_mean**2 + log_var.exp() - 1 - log_var).sum()
            optimizer.zero_grad()
            ((reconstruction + kl) / BATCH).backward()
            norms = [parameter.grad.norm() for parameter in parameters if parameter.ndim == 2]
            optimizer.step()
        assert all(torch.isfinite(norm) for norm in norms)

    return chunk


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

    def __init__(self, architecture: Architecture, rngs: nnx.Rngs):
        sizes = (architecture.depth, architecture.width, rngs)
        self.encoder = PlainTower(architecture.data, 2 * architecture.latent, *sizes)
        self.decoder = PlainTower(architecture.latent, architecture.data, *sizes)


def flax_chunk(architecture: Architecture) -> Callable[[], None]:
    """A chunk of steps as a plain Flax loop: a jitted step, a Python loop over numpy batches, norms on."""
    model = PlainVAE(architecture, nnx.Rngs(0))
    graph, parameters = nnx.split(model)
    optimizer = optax.adam(1e-3)
    data = digits().train
    mean = jnp.asarray(data.mean(axis=0))
    draw = np.random.default_rng(0)

    @jax.jit
    def step(parameters: Any, state: Any, batch: jax.Array, key: jax.Array) -> tuple[Any, Any, Any]:
        observe, noise = jax.random.split(key)
        x = jax.random.bernoulli(observe, batch).astype(jnp.float32)

        def loss(parameters: Any) -> jax.Array:
            model = nnx.merge(graph, parameters)
            posterior_mean, log_var = jnp.split(model.encoder(x - mean), 2, axis=1)
            z = posterior_mean + jnp.exp(0.5 * log_var) * jax.random.normal(noise, posterior_mean.shape)
            reconstruction = optax.sigmoid_binary_cross_entropy(model.decoder(z), x).sum()
            kl = 0.5 * (posterior_mean**2 + jnp.exp(log_var) - 1 - log_var).sum()
            return (reconstruction + kl) / BATCH

        gradient = jax.grad(loss)(parameters)
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, jax.tree.map(jnp.linalg.norm, gradient)

    held = [parameters, optimizer.init(parameters), jax.random.key(0)]

    def chunk() -> None:
        norms = None
        for _ in range(CHUNK):
            batch = data[draw.integers(len(data), size=BATCH)]
            held[2], key = jax.random.split(held[2])
            held[0], held[1], norms = step(held[0], held[1], batch, key)
        jax.block_until_ready(norms)

    return chunk
