"""Hidden layers: how one block joins its matrix, its normalization, its activation and its input."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.configured import Number
from vae_jax.keys import named_key

if TYPE_CHECKING:
    from vae_jax.recipe import Recipe

Hidden = Float[Array, "batch width"]


def dense(inputs: int, outputs: int, recipe: "Recipe", key: PRNGKeyArray) -> nnx.Linear:
    """A dense layer whose kernel is drawn by the recipe, with zero biases."""
    return nnx.Linear(inputs, outputs, kernel_init=recipe.kernel_init, rngs=nnx.Rngs(params=key))


def set_bias(layer: nnx.Linear, bias: Float[Array, " outputs"]) -> None:
    """Start a layer from another bias than zero."""
    layer.bias = nnx.Param(bias)


class PlainBlock(nnx.Module):
    """h' = phi(norm(W h + b)): no way around the activation's slope.

    Every other block is one of these with another `__call__`. A block keeps parameters only; the recipe comes with
    the call, because its numbers are arguments of the compiled program.
    """

    # True where the output is a bare sum, which the tower then normalizes and activates before its head.
    leaves_sum = False

    def __init__(self, width: int, recipe: "Recipe", key: PRNGKeyArray):
        self.dense = dense(width, width, recipe, named_key(key, "dense"))
        self.normalization = recipe.normalization(width)

    def branch(self, h: Hidden, recipe: "Recipe") -> Hidden:
        """phi(norm(W h + b))."""
        return recipe.activation(self.normalization(self.dense(h)))

    def __call__(self, h: Hidden, recipe: "Recipe") -> Hidden:
        return self.branch(h, recipe)


class PostActivationResidualBlock(PlainBlock):
    """h' = phi(h + norm(W h + b)): the skip path passes through every activation.

    Source:
        He, Zhang, Ren & Sun 2016 (CVPR), arXiv:1512.03385, with one matrix to a block.
    """

    def __call__(self, h: Hidden, recipe: "Recipe") -> Hidden:
        return recipe.activation(h + self.normalization(self.dense(h)))


class PreActivationResidualBlock(PlainBlock):
    """h' = h + W phi(norm(h)) + b: nothing stands on the skip path, so dh'/dh = I + a branch.

    Source:
        He, Zhang, Ren & Sun 2016, "Identity mappings in deep residual networks", arXiv:1603.05027, with one matrix to
        a block; as there, the last sum is activated before the head.
    """

    leaves_sum = True

    def __call__(self, h: Hidden, recipe: "Recipe") -> Hidden:
        return h + self.dense(recipe.activation(self.normalization(h)))


class HighwayBlock(PlainBlock):
    """h' = T phi(norm(W h + b)) + (1 - T) h with a learnt gate T = sigmoid(W_T h + b_T), nearly shut at first.

    It has twice the matrices of a plain block.

    Source:
        Srivastava, Greff & Schmidhuber 2015, arXiv:1505.00387.
    """

    def __init__(self, width: int, recipe: "Recipe", key: PRNGKeyArray, *, gate_bias: Number):
        super().__init__(width, recipe, key)
        self.gate = dense(width, width, recipe, named_key(key, "gate"))
        set_bias(self.gate, jnp.full((width,), gate_bias))

    def __call__(self, h: Hidden, recipe: "Recipe") -> Hidden:
        gate = jax.nn.sigmoid(self.gate(h))
        return gate * self.branch(h, recipe) + (1 - gate) * h


class ReZeroBlock(PlainBlock):
    """h' = h + alpha phi(norm(W h + b)) with one learnt alpha to a block: the identity at first.

    Source:
        Bachlechner et al. 2021, "ReZero is all you need", arXiv:2003.04887.
    """

    def __init__(self, width: int, recipe: "Recipe", key: PRNGKeyArray, *, alpha: Number):
        super().__init__(width, recipe, key)
        self.alpha = nnx.Param(jnp.full((), alpha))

    def __call__(self, h: Hidden, recipe: "Recipe") -> Hidden:
        return h + self.alpha[...] * self.branch(h, recipe)
