"""Units: how a matrix and an activation make a hidden layer of what is below."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.layers.dense import Dense, LinearMap, Role
from vae_jax.recipe.configured import Number
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe

Below = Float[Array, "batch ... inputs"]
Sums = Float[Array, "batch ... columns"]
Hidden = Float[Array, "batch ... outputs"]


class Unit(nnx.Module):
    """phi(norm(W h + b)), where W h is what the linear map that it is handed makes of h.

    Every other unit is one of these with other matrices. A unit keeps parameters only; the recipe comes with the call.
    """

    # Whether phi acts on W h + b entry by entry: what a residual block needs that activates a sum, or its input.
    elementwise = True
    # Columns of W for each output, of matrices that are drawn apart.
    pieces = 1

    def __init__(
        self,
        inputs: int,
        outputs: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        *,
        role: Role = "hidden",
        context: int = 0,
        linear: LinearMap = Dense,
    ):
        """Draw a unit; arguments as for `Dense`, and the linear map."""
        columns = outputs * self.pieces
        # Whatever the map is: by this name its draws are found, and its leaves.
        own = named_key(key, "dense")
        self.dense = linear(inputs, columns, recipe, own, role=role, context=context, pieces=self.pieces)
        self.normalization = recipe.normalization(columns)

    def preactivation(self, h: Below, run: ForwardPass) -> Sums:
        """norm(W h + b)."""
        return self.normalization(self.dense(h, run))

    def activate(self, z: Sums, run: ForwardPass) -> Hidden:
        """phi(z)."""
        return run.activate(z)

    def __call__(self, h: Below, run: ForwardPass) -> Hidden:
        return self.activate(self.preactivation(h, run), run)


class ParametricUnit(Unit):
    """A unit whose activation has a learnt slope below zero, one for the layer.

    Source:
        He, Zhang, Ren & Sun 2015, arXiv:1502.01852, the channel-shared form.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        *,
        negative_slope: Number,
        role: Role = "hidden",
        context: int = 0,
        linear: LinearMap = Dense,
    ):
        super().__init__(inputs, outputs, recipe, key, role=role, context=context, linear=linear)
        self.slope = nnx.Param(jnp.full((), negative_slope))

    def activate(self, z: Sums, run: ForwardPass) -> Hidden:
        return run.activate(z, self.slope[...])


class MaxoutUnit(Unit):
    """The greatest of several linear pieces: max_k (W_k h + b_k), each entry's piece with slope 1.

    Source:
        Goodfellow, Warde-Farley, Mirza, Courville & Bengio 2013, arXiv:1302.4389.
    """

    elementwise = False

    def __init__(
        self,
        inputs: int,
        outputs: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        *,
        pieces: int,
        role: Role = "hidden",
        context: int = 0,
        linear: LinearMap = Dense,
    ):
        self.pieces = pieces
        super().__init__(inputs, outputs, recipe, key, role=role, context=context, linear=linear)

    def activate(self, z: Sums, run: ForwardPass) -> Hidden:
        return run.activate(z.reshape(*z.shape[:-1], -1, self.pieces).max(axis=-1))


class GatedUnit(Unit):
    """phi(norm(W h + b)) * (V h + c): a gate on a linear path.

    Source:
        Dauphin, Fan, Auli & Grangier 2017, arXiv:1612.08083; Shazeer 2020, arXiv:2002.05202.
    """

    elementwise = False

    def __init__(
        self,
        inputs: int,
        outputs: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        *,
        role: Role = "hidden",
        context: int = 0,
        linear: LinearMap = Dense,
    ):
        super().__init__(inputs, outputs, recipe, key, role=role, context=context, linear=linear)
        self.linear = linear(inputs, outputs, recipe, named_key(key, "linear"), role=role, context=context)

    def __call__(self, h: Below, run: ForwardPass) -> Hidden:
        return super().__call__(h, run) * self.linear(h, run)


class ConcatenatedUnit(Unit):
    """phi(z) and phi(-z) side by side: what one half cuts off the other passes on.

    Source:
        Shang, Sohn, Almeida & Lee 2016, arXiv:1603.05201.
    """

    elementwise = False

    def __init__(
        self,
        inputs: int,
        outputs: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        *,
        role: Role = "hidden",
        context: int = 0,
        linear: LinearMap = Dense,
    ):
        """Draw a unit.

        Raises:
            ValueError: If the width is odd.
        """
        if outputs % 2:
            raise ValueError(f"concatenated units come in pairs, so the width must be even, got {outputs}")
        super().__init__(inputs, outputs // 2, recipe, key, role=role, context=context, linear=linear)

    def activate(self, z: Sums, run: ForwardPass) -> Hidden:
        return run.activate(jnp.concatenate([z, -z], axis=-1))
