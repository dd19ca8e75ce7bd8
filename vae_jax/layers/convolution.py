"""A convolution: one matrix over every patch of an image, as the recipe draws, shapes and multiplies it."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.layers.dense import Dense, Role
from vae_jax.recipe.recipe import Recipe

Images = Float[Array, "batch height width channels"]
Sums = Float[Array, "batch new_height new_width outputs"]


@dataclass(frozen=True)
class Convolving:
    """The linear map of a convolution, from the channels of images to others, for what is handed one.

    The images are padded with zeros as TensorFlow's "same" has it: with a stride of s, sides are divided by s, rounded
    up; transposed, multiplied by s.

    Attributes:
        size: Of a patch's sides.
        stride: Steps between patches; transposed, of an output for each of the input.
        transposed: Whether it is the transpose of such a map, which makes images larger.
    """

    size: int
    stride: int = 1
    transposed: bool = False

    def __post_init__(self):
        for name in ("size", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of a convolution must be at least 1, got {getattr(self, name)}")

    def sides(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what it makes of images of these."""
        s = self.stride
        return (height * s, width * s) if self.transposed else (-(-height // s), -(-width // s))

    def __call__(
        self,
        inputs: int,
        outputs: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        *,
        role: Role = "hidden",
        context: int = 0,
        pieces: int = 1,
    ) -> "Convolution":
        """Draw a layer; arguments as for `Dense`, which inputs and outputs are channels of.

        Raises:
            ValueError: If it is to see a context.
        """
        if context:
            raise ValueError(f"a convolution sees no context, got one of {context} entries: leave it out")
        return Convolution(self, inputs, outputs, recipe, key, role, pieces)


class Convolution(Dense):
    """W p + b of every patch p of an image; the kernel is kept as the matrix W, of fan-in and outputs.

    A patch's entries are in the order of its rows, columns and channels. Transposed, patches are of the image with
    zeros between its entries: of a patch's positions only one in stride^2 then is not such a zero.
    """

    def __init__(
        self, kind: Convolving, inputs: int, outputs: int, recipe: Recipe, key: PRNGKeyArray, role: Role, pieces: int
    ):
        """Draw a layer; arguments as for `Dense`, and its kind."""
        self.kind = kind
        super().__init__(inputs, outputs, recipe, key, role=role, pieces=pieces, positions=(kind.size,) * 2)

    def multiply(self, h: Images, product: Callable[[Array, Array], Array] = jnp.matmul) -> Sums:
        """W p of every patch.

        A matrix product over patches, not XLA's convolution: inside a scan, as a training is one, that takes 2 to 60
        times as long on a CPU.
        """
        matrix, patches = self.form(self.kernel[...]), self.patches(h)
        return product(patches.reshape(-1, len(matrix)), matrix).reshape(*patches.shape[:3], -1)

    def patches(self, h: Images) -> Float[Array, "batch new_height new_width entries"]:
        """The patch that each output is a sum over."""
        step, between, padding = self._geometry(h)
        padded = jax.lax.pad(
            h, jnp.zeros((), h.dtype), [(0, 0, 0), *((*sides, between - 1) for sides in padding), (0, 0, 0)]
        )
        new_height, new_width = (step * (side - 1) + 1 for side in self.kind.sides(*h.shape[1:3]))
        size = range(self.kind.size)
        return jnp.concatenate(
            [padded[:, y : y + new_height : step, x : x + new_width : step] for y in size for x in size], axis=-1
        )

    def _geometry(self, h: Images) -> tuple[int, int, list[tuple[int, int]]]:
        """Steps between patches, entries for one of the image, and the padding of its two sides, before and after."""
        kind, padding = self.kind, []
        size, stride = kind.size, kind.stride
        for side, new in zip(h.shape[1:3], kind.sides(*h.shape[1:3]), strict=True):
            # Of the map from the larger side to the smaller one, whichever of the two this is.
            larger, smaller = max(side, new), min(side, new)
            total = max((smaller - 1) * stride + size - larger, 0)
            before, after = total // 2, total - total // 2
            if kind.transposed:
                before = size - 1 - before
                after = new + size - 1 - ((side - 1) * stride + 1) - before
            padding.append((before, after))
        return (1, stride, padding) if kind.transposed else (stride, 1, padding)
