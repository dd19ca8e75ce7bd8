"""A dense tower: an input layer, blocks of one width, and a linear head, with a tap after each hidden layer."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.keys import named_key
from vae_jax.layers.blocks import PlainBlock, dense

if TYPE_CHECKING:
    from vae_jax.recipe import Recipe


class Hidden(NamedTuple):
    """What a pass was like in its hidden layers; layer 0 is the input layer.

    Attributes:
        output: Each layer's output, after the activation.
        slope: |phi'| of its activation there, as a share of the largest slope that phi has within 8 of 0.
    """

    output: Float[Array, "layers batch width"]
    slope: Float[Array, "layers batch width"]


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

    def __call__(self, x: Float[Array, "batch inputs"], recipe: "Recipe") -> Float[Array, "batch outputs"]:
        """The head's output.

        Args:
            x: Inputs.
            recipe: The recipe, with the numbers of this training.
        """
        h = self._first(x, recipe)
        for block in self.blocks:
            h = block(h, recipe)
        return self._last(h, recipe)

    def observed(
        self, x: Float[Array, "batch inputs"], taps: Float[Array, "layers batch width"], recipe: "Recipe"
    ) -> tuple[Float[Array, "batch outputs"], Hidden]:
        """The head's output, and what every hidden layer looks like: the same pass, to be looked into.

        The blocks are scanned here, not written out: a pass that is taken now and then should compile quickly, where
        the one of every step should run quickly.

        Args:
            x: Inputs.
            taps: Zeros, added to the hidden layers: the loss's gradient with respect to them is dL/dh, layer by layer,
                after the activation.
            recipe: The recipe, with the numbers of this training.
        """

        def tapped(layer: Callable[["Recipe"], Array], tap: Array) -> tuple[Array, Hidden]:
            slopes: list[Array] = []
            h = layer(_watched(recipe, slopes)) + tap
            return h, Hidden(h, jnp.mean(jnp.stack(slopes), axis=0))

        def block(h: Array, inputs: tuple[Any, Array]) -> tuple[Array, Hidden]:
            state, tap = inputs
            return tapped(lambda watched: nnx.merge(graph, state)(h, watched), tap)

        graph = nnx.graphdef(self.blocks[0])
        states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[nnx.as_pure(nnx.state(b)) for b in self.blocks])
        h, first = tapped(lambda watched: self._first(x, watched), taps[0])
        h, others = jax.lax.scan(block, h, (states, taps[1:]))
        hidden = jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), first, others)
        return self._last(h, recipe), hidden

    def _first(self, x: Float[Array, "batch inputs"], recipe: "Recipe") -> Float[Array, "batch width"]:
        return recipe.activation(self.normalization(self.input(x)))

    def _last(self, h: Float[Array, "batch width"], recipe: "Recipe") -> Float[Array, "batch outputs"]:
        if self.blocks[-1].leaves_sum:
            h = recipe.activation(self.final_normalization(h))
        return self.head(h)


def _watched(recipe: "Recipe", slopes: list[Array]) -> "Recipe":
    """The recipe with an activation that also keeps how steep it was, as a share of the steepest it can be."""
    steepest = jnp.max(jnp.abs(_slope(recipe.activation, jnp.linspace(-8.0, 8.0, 321))))

    def activation(z: Array) -> Array:
        slopes.append(jnp.abs(_slope(recipe.activation, jax.lax.stop_gradient(z))) / steepest)
        return recipe.activation(z)

    watched = copy.copy(recipe)
    # Past __init__: inside a program, a recipe's leaves are not the numbers that it is declared for.
    object.__setattr__(watched, "activation", activation)
    return watched


def _slope(activation: Callable[[Array], Array], z: Array) -> Array:
    return jax.jvp(activation, (z,), (jnp.ones_like(z),))[1]


def _draw_blocks(depth: int, width: int, recipe: "Recipe", key: PRNGKeyArray) -> list[PlainBlock]:
    # One drawing program mapped over the blocks' keys: written out, it takes longer to compile than to train.
    # Mapped, not vectorised: QR under vmap can deadlock XLA's CPU backend.
    def draw(block_key: PRNGKeyArray) -> PlainBlock:
        return recipe.block(width, recipe, block_key)

    keys = jnp.stack([named_key(key, f"block_{index}") for index in range(depth)])
    graph = nnx.graphdef(nnx.eval_shape(lambda: draw(keys[0])))
    states = jax.lax.map(lambda block_key: nnx.as_pure(nnx.state(draw(block_key))), keys)
    return [nnx.merge(graph, jax.tree.map(lambda leaf, i=index: leaf[i], states)) for index in range(depth)]
