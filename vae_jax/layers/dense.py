"""A dense layer: a matrix and a bias, as the recipe draws, shapes and multiplies them."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe

Role = Literal["input", "hidden", "head"]
"""Where a matrix stands in its tower: initializers may treat its ends apart."""

LinearMap = Callable[..., Any]
"""What a layer is handed to make its sums with, drawn as `Dense` is: `Dense` itself, or a `Convolving`."""


class Dense(nnx.Module):
    """W h + b, where W is what the recipe's `weight_form` makes of the kernel."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        *,
        role: Role = "hidden",
        context: int = 0,
        pieces: int = 1,
        positions: tuple[int, ...] = (),
    ):
        """Draw a layer.

        Args:
            inputs: Size of an input.
            outputs: Size of an output, all pieces counted.
            recipe: Which initializers and which form of the weights.
            key: Of the draws.
            role: The layer's place.
            context: Entries that each input is extended by, see `ForwardPass.context`.
            pieces: Matrices that are drawn apart, since fans and orthogonality are of each; their columns alternate.
            positions: Of a patch that the matrix is over, each with as many inputs; none of a plain matrix.
        """
        # False of a layer that whoever drew it starts in a way that data should not change.
        self.takes_data = role != "head"
        shape, dtype = (*positions, inputs + context, outputs // pieces), jnp.result_type(float).type
        names = ("kernel", *(f"kernel_{piece}" for piece in range(1, pieces)))
        drawn = [
            recipe.kernel_init(named_key(key, name), shape, dtype, role).reshape(-1, outputs // pieces)
            for name in names
        ]
        self.kernel = nnx.Param(jnp.stack(drawn, axis=2).reshape(len(drawn[0]), outputs))
        self.bias = nnx.Param(recipe.bias_init(named_key(key, "bias"), (outputs,), dtype, role))
        self.form = recipe.weight_form(self.kernel[...])

    def rescale(self, factor: Float[Array, "#outputs"]) -> None:
        """Multiply every output's weights, where the form keeps their length in the form."""
        gain = getattr(self.form, "gain", None)
        if gain is None:
            self.kernel[...] = self.kernel[...] * factor[None]
        else:
            gain[...] = gain[...] * factor

    def multiply(
        self, h: Float[Array, "batch inputs"], product: Callable[[Array, Array], Array] = jnp.matmul
    ) -> Float[Array, "batch outputs"]:
        """W h.

        Args:
            h: Inputs.
            product: As `Recipe.product`.
        """
        return product(h, self.form(self.kernel[...]))

    def __call__(self, h: Float[Array, "batch ... inputs"], run: ForwardPass) -> Float[Array, "batch ... outputs"]:
        if run.context is not None:
            h = jnp.concatenate([h, run.context], axis=1)
        if run.adjust is not None and self.takes_data:
            run.adjust(self, h)
        return self.multiply(h, run.recipe.product) + self.bias[...][(None,) * (h.ndim - 1)]
