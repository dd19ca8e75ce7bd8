"""A tower whose blocks are scanned instead of written out: the other way to compile a deep stack."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from vae_jax.recipe import Recipe
from vae_jax.towers.dense import DenseTower


def scanned_tower(
    self: DenseTower, x: jax.Array, taps: jax.Array | None, recipe: Recipe
) -> tuple[jax.Array, jax.Array]:
    """What `DenseTower` computes, with one block in the program, whatever the depth.

    Parameters stay one leaf per layer, as optimizers must see them, and are stacked in every pass.
    """
    graph = nnx.graphdef(self.blocks[0])
    states = [nnx.as_pure(nnx.state(block)) for block in self.blocks]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)

    def one_block(h: jax.Array, layer: Any) -> tuple[jax.Array, jax.Array]:
        state, tap = layer
        h = nnx.merge(graph, state)(h, recipe)
        h = h if tap is None else h + tap
        return h, h

    first = recipe.activation(self.normalization(self.input(x)))
    first = first if taps is None else first + taps[0]
    last, hidden = jax.lax.scan(one_block, first, (stacked, None if taps is None else taps[1:]))
    if self.blocks[-1].leaves_sum:
        last = recipe.activation(self.final_normalization(last))
    return self.head(last), jnp.concatenate([first[None], hidden])
