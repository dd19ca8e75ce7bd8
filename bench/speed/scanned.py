"""A tower whose blocks are scanned instead of written out: the other way to compile a deep stack."""

import jax
import jax.numpy as jnp

from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.towers.dense import DenseTower


def scanned_tower(self: DenseTower, x: jax.Array, run: ForwardPass) -> tuple[jax.Array, list[jax.Array]]:
    """The results of a `DenseTower`, computed with one block in the program, whatever the depth.

    Parameters stay one leaf per layer, as optimizers must see them, and are stacked in every pass.
    """
    taps = jnp.zeros((len(self.blocks) + 1, x.shape[0], self.head.kernel.shape[0]), x.dtype)
    outputs, (hidden,) = self.observed(x, (taps,), run)
    return outputs, list(hidden.output)
