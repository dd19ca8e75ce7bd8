"""A dense tower: an input layer, blocks of one width, and a linear head, with a tap after each hidden layer."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.keys import named_key
from vae_jax.layers.blocks import PlainBlock, dense

if TYPE_CHECKING:
    from vae_jax.recipe import Recipe


class DenseTower(nnx.Module):
    """inputs -> width -> (block) x depth -> outputs.

    Hidden layer 0 is the input layer, phi(norm(W x + b)); hidden layers 1 to depth are the blocks.
    """

    def __init__(self, inputs: int, outputs: int, depth: int, width: int, recipe: "Recipe", key: PRNGKeyArray):
        """Draw a tower.

        Args:
            inputs: Size of an input.
            outputs: Size of the head.
            depth: Number of blocks, at least 1.
            width: Units in each hidden layer.
            recipe: Which activation, block, normalization and initializer.
            key: Every layer's key comes from it by the layer's name.

        Raises:
            ValueError: If there is no block.
        """
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}: a tower without blocks has no gradient profile")
        self.input = dense(inputs, width, recipe, named_key(key, "input"))
        self.normalization = recipe.normalization(width)
        self.blocks = nnx.List(_draw_blocks(depth, width, recipe, key))
        if self.blocks[-1].leaves_sum:
            self.final_normalization = recipe.normalization(width)
        self.head = dense(width, outputs, recipe, named_key(key, "head"))

    def __call__(
        self, x: Float[Array, "batch inputs"], taps: Float[Array, "depth batch width"] | None, recipe: "Recipe"
    ) -> tuple[Float[Array, "batch outputs"], Float[Array, "depth batch width"]]:
        """The head's output, and every hidden layer's.

        Args:
            x: Inputs.
            taps: Zeros, added to the hidden layers (depth here counts the input layer too): the loss's gradient with
                respect to them is dL/dh, layer by layer, after the activation. None where nobody asks for it: XLA
                would add the zeros.
            recipe: The recipe, with the numbers of this training.
        """
        h = recipe.activation(self.normalization(self.input(x)))
        hidden = [h if taps is None else h + taps[0]]
        for index, block in enumerate(self.blocks, start=1):
            h = block(hidden[-1], recipe)
            hidden.append(h if taps is None else h + taps[index])
        h = hidden[-1]
        if self.blocks[-1].leaves_sum:
            h = recipe.activation(self.final_normalization(h))
        return self.head(h), jnp.stack(hidden)


def _draw_blocks(depth: int, width: int, recipe: "Recipe", key: PRNGKeyArray) -> list[PlainBlock]:
    # One drawing program mapped over the blocks' keys: written out, it takes longer to compile than to train.
    # Mapped, not vectorised: QR under vmap can deadlock XLA's CPU backend.
    def draw(block_key: PRNGKeyArray) -> PlainBlock:
        return recipe.block(width, recipe, block_key)

    keys = jnp.stack([named_key(key, f"block_{index}") for index in range(depth)])
    graph = nnx.graphdef(nnx.eval_shape(lambda: draw(keys[0])))
    states = jax.lax.map(lambda block_key: nnx.as_pure(nnx.state(draw(block_key))), keys)
    return [nnx.merge(graph, jax.tree.map(lambda leaf, i=index: leaf[i], states)) for index in range(depth)]
