"""Hidden layers: how one block joins a unit, or two, and its input."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.layers.constant import Constant
from vae_jax.layers.dense import Dense, LinearMap
from vae_jax.layers.units import Unit
from vae_jax.recipe.configured import Number
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe

Hidden = Float[Array, "batch ... width"]


@dataclass(frozen=True)
class BlockPosition:
    """Where a block stands in its tower.

    Attributes:
        width: Units of a hidden layer, or channels.
        index: Of the block, from 0; an array where blocks are drawn by one program.
        depth: Blocks of the tower.
        context: Entries that it sees beside the layer before it.
        linear: The linear map of its units.
    """

    width: int
    index: int | jax.Array = 0
    depth: int = 1
    context: int = 0
    linear: LinearMap = Dense


class PlainBlock(nnx.Module):
    """h' = phi(norm(W h + b)): no way around the activation's slope.

    Every other block is one of these with another `__call__`. A block keeps parameters only; the recipe comes with
    the call, because its numbers are arguments of the compiled program.
    """

    # True where the output is a bare sum, which the tower then normalizes and activates before its head.
    leaves_sum = False
    # False where blocks differ in shape, so that no two can be drawn or scanned by one program.
    uniform = True
    # True where the block activates a sum, or its input, which not every unit can: see `DenseTower.require`.
    needs_elementwise = False
    # True where drawn matrices are given another length, which not every form of the weights keeps.
    rescales = False

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray):
        """Draw a block.

        Args:
            position: Where it stands.
            recipe: Which unit, normalization and initializers.
            key: Of its draws.
        """
        self.unit: Unit = recipe.unit(
            position.width,
            position.width,
            recipe,
            named_key(key, "unit"),
            context=position.context,
            linear=position.linear,
        )

    def branch(self, h: Hidden, run: ForwardPass) -> Hidden:
        """phi(norm(W h + b))."""
        return self.unit(h, run)

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return self.branch(h, run)


class PostActivationResidualBlock(PlainBlock):
    """h' = phi(h + norm(W h + b)): the skip path passes through every activation.

    Source:
        He, Zhang, Ren & Sun 2016 (CVPR), arXiv:1512.03385, with one matrix to a block.
    """

    needs_elementwise = True

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return self.unit.activate(h + self.unit.preactivation(h, run), run)


class PreActivationResidualBlock(PlainBlock):
    """h' = h + W phi(norm(h)) + b: nothing stands on the skip path, so dh'/dh = I + a branch.

    Source:
        He, Zhang, Ren & Sun 2016, "Identity mappings in deep residual networks", arXiv:1603.05027, with one matrix to
        a block; as there, the last sum is activated before the head.
    """

    leaves_sum = True
    needs_elementwise = True

    def branch(self, h: Hidden, run: ForwardPass) -> Hidden:
        """W phi(norm(h)) + b."""
        return self.unit.dense(self.unit.activate(self.unit.normalization(h), run), run)

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return h + self.branch(h, run)


class ScaledResidualBlock(PreActivationResidualBlock):
    """h' = h + s (W phi(norm(h)) + b) with a fixed s: at 1 / sqrt(depth) the signal stays bounded at any depth.

    Source:
        Hayou et al. 2021, "Stable ResNet", arXiv:2010.12859.
    """

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray):
        super().__init__(position, recipe, key)
        self.scale = Constant(jnp.full((), position.depth**-0.5))

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return h + self.scale[...] * self.branch(h, run)


class StochasticDepthBlock(PreActivationResidualBlock):
    """A pre-activation residual block whose branch is left out at random, for each example, more often further up.

    Block l of L is kept with probability 1 - l / L (1 - survival), and the branch is divided by it in training, so
    that nothing is to be scaled in evaluation.

    Source:
        Huang, Sun, Liu, Sedra & Weinberger 2016, arXiv:1603.09382.
    """

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray, *, survival: Number):
        super().__init__(position, recipe, key)
        self.kept = Constant(1.0 - (jnp.asarray(position.index, jnp.float32) + 1.0) / position.depth * (1.0 - survival))

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return h + run.noisy(self._drop, self.branch(h, run), "branch")

    def _drop(self, branch: Hidden, key: PRNGKeyArray) -> Hidden:
        kept = jax.random.bernoulli(key, self.kept[...], (len(branch), *(1,) * (branch.ndim - 1)))
        return jnp.where(kept, branch / self.kept[...], 0.0)


class SkipInitBlock(PreActivationResidualBlock):
    """h' = h + alpha (W phi(norm(h)) + b) with one learnt alpha at the branch's end: the identity at first.

    Source:
        De & Smith 2020, arXiv:2002.10444.
    """

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray, *, alpha: Number):
        super().__init__(position, recipe, key)
        self.alpha = nnx.Param(jnp.full((), alpha))

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return h + self.alpha[...] * self.branch(h, run)


class LayerScaleBlock(PreActivationResidualBlock):
    """h' = h + gamma * (W phi(norm(h)) + b) with a learnt gamma for each unit, small at first.

    Source:
        Touvron, Cord, Sablayrolles, Synnaeve & Jegou 2021, arXiv:2103.17239.
    """

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray, *, gamma: Number):
        super().__init__(position, recipe, key)
        self.gamma = nnx.Param(jnp.full((position.width,), gamma))

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return h + self.gamma[...][(None,) * (h.ndim - 1)] * self.branch(h, run)


class HighwayBlock(PlainBlock):
    """h' = T phi(norm(W h + b)) + (1 - T) h with a learnt gate T = sigmoid(W_T h + b_T), nearly shut at first.

    It has twice the matrices of a plain block.

    Source:
        Srivastava, Greff & Schmidhuber 2015, arXiv:1505.00387.
    """

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray, *, gate_bias: Number):
        super().__init__(position, recipe, key)
        width = position.width
        self.gate = position.linear(width, width, recipe, named_key(key, "gate"), context=position.context)
        self.gate.bias[...] = jnp.full((width,), gate_bias)
        self.gate.takes_data = False

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        gate = jax.nn.sigmoid(self.gate(h, run))
        return gate * self.branch(h, run) + (1 - gate) * h


class ReZeroBlock(PlainBlock):
    """h' = h + alpha phi(norm(W h + b)) with one learnt alpha to a block: the identity at first.

    Source:
        Bachlechner et al. 2021, "ReZero is all you need", arXiv:2003.04887.
    """

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray, *, alpha: Number):
        super().__init__(position, recipe, key)
        self.alpha = nnx.Param(jnp.full((), alpha))

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return h + self.alpha[...] * self.branch(h, run)


class DenselyConnectedBlock(PlainBlock):
    """h' = (h, phi(norm(W h + b))): every block sees the outputs of all before it, and the head sees all.

    Source:
        Huang, Liu, van der Maaten & Weinberger 2017, arXiv:1608.06993, with one matrix to a block.
    """

    uniform = False

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray):
        # Block l sees the input layer and l blocks.
        inputs = position.width * (int(position.index) + 1)
        self.unit = recipe.unit(
            inputs,
            position.width,
            recipe,
            named_key(key, "unit"),
            context=position.context,
            linear=position.linear,
        )

    def branch(self, h: Float[Array, "batch ... known"], run: ForwardPass) -> Hidden:
        """phi(norm(W h + b)) of all that is known."""
        return self.unit(h, run)

    def __call__(self, h: Float[Array, "batch ... known"], run: ForwardPass) -> Float[Array, "batch ... more"]:
        return jnp.concatenate([h, self.branch(h, run)], axis=-1)


class FixupBlock(PlainBlock):
    """h' = phi(h + s W_2 (phi(W_1 (h + b_1) + c_1) + b_2) + c_2): a branch of two matrices that starts at zero.

    W_2 starts at zero and W_1 is shrunk by depth^(-1/2), so that one step of SGD on the matrices moves the output as
    far at any depth. Before each matrix a learnt scalar is added, and s is one that multiplies; the biases c_1 and c_2
    after the matrices are vectors here, and learn at the full rate, where the paper's are scalars as the others. The
    output layer is not zeroed, as it is there: in a VAE this would leave the encoder without a gradient at first.

    Source:
        Zhang, Dauphin & Ma 2019, arXiv:1901.09321, with m = 2.
    """

    needs_elementwise = True
    rescales = True

    def __init__(self, position: BlockPosition, recipe: Recipe, key: PRNGKeyArray):
        super().__init__(position, recipe, key)
        width = position.width
        self.second = position.linear(width, width, recipe, named_key(key, "second"), context=position.context)
        self.unit.dense.rescale(jnp.full((1,), position.depth**-0.5))
        self.second.rescale(jnp.zeros((1,)))
        self.unit.dense.takes_data = self.second.takes_data = False
        self.bias_before_first, self.bias_before_second = nnx.Param(jnp.zeros(())), nnx.Param(jnp.zeros(()))
        self.scale = nnx.Param(jnp.ones(()))

    def branch(self, h: Hidden, run: ForwardPass) -> Hidden:
        """s W_2 (phi(W_1 (h + b_1) + c_1) + b_2) + c_2."""
        inner = self.unit(h + self.bias_before_first[...], run)
        # Before the matrix, since c_2 is outside of s.
        return self.second(self.scale[...] * (inner + self.bias_before_second[...]), run)

    def __call__(self, h: Hidden, run: ForwardPass) -> Hidden:
        return self.unit.activate(h + self.branch(h, run), run)
