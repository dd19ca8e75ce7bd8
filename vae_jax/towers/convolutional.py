"""A convolutional tower: trunks of one image size each, dense ones before them where it decodes, and a linear head."""

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.initialization.initializers import identity, looks_linear
from vae_jax.layers.convolution import Convolving
from vae_jax.layers.dense import Dense
from vae_jax.layers.noise import no_noise
from vae_jax.recipe.configured import made_by
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.dense import DenseTower, Trunk
from vae_jax.towers.hidden import Run
from vae_jax.towers.skip_connections import no_context
from vae_jax.towers.tapered import Tapered, TaperedTower


@dataclass(frozen=True)
class Stage:
    """Hidden layers of one shape: a convolution that may change the images' size, a unit, and blocks that keep it.

    Attributes:
        channels: Of its images.
        layers: How many there are.
        stride: Of the first; those after it have 1.
        noise: Whether the recipe's hidden noise is drawn here.
        rectified: Whether a leaky ReLU, where the recipe has one, is a plain one here.
    """

    channels: int
    layers: int = 1
    stride: int = 1
    noise: bool = True
    rectified: bool = False

    def __post_init__(self):
        for name in ("channels", "layers", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of a stage must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Convolutional:
    """The kind of tower that an image passes through in stages.

    As an encoder it reads rows that are images; as a decoder dense layers make a small one first. Its head, either way,
    is dense and reads the last image whole.

    Attributes:
        image: Height, width and channels of what the first stage is given.
        stages: From the input on.
        size: Of the sides of all patches.
        transposed: Whether strides make images larger, and not smaller.
        dense: Units of hidden dense layers before the image; the last ones are its entries.
        dense_noise: Whether the recipe's hidden noise is drawn there.
    """

    image: tuple[int, int, int]
    stages: tuple[Stage, ...]
    size: int = 3
    transposed: bool = False
    dense: tuple[int, ...] = ()
    dense_noise: bool = True

    def __post_init__(self):
        if not self.stages:
            raise ValueError(
                "a convolutional tower needs at least one stage, got none: without one, name a dense tower"
            )
        if self.dense and (min(self.dense) < 1 or self.dense[-1] != math.prod(self.image)):
            raise ValueError(
                f"the last of the dense layers before an image of {_sides(self.image)} must have "
                f"{math.prod(self.image)} units, got {'-'.join(map(str, self.dense))}: its outputs are the image"
            )

    def maps(self) -> tuple[Convolving, ...]:
        """The linear map that each stage begins with."""
        return tuple(Convolving(self.size, stage.stride, self.transposed) for stage in self.stages)

    def runs(self, depth: int, width: int) -> tuple[Run, ...]:
        """A run for each width of the dense layers, and for each stage; depth and width of others are not its own."""
        runs = [Run(len(list(same)), (units,)) for units, same in itertools.groupby(self.dense)]
        sides = self.image[:2]
        for stage, convolving in zip(self.stages, self.maps(), strict=True):
            sides = convolving.sides(*sides)
            runs.append(Run(stage.layers, (*sides, stage.channels), patch=self.size**2))
        return tuple(runs)

    @staticmethod
    def kernels(tower: Any) -> list[Any]:
        """The matrices in a tree like a tower's parameters: of its units, in order, and of the head."""
        return Tapered.kernels(tower)

    def scaled(self, factor: float) -> "Convolutional":
        """The same with channels and dense layers a factor larger, even; what makes the image is as it was."""
        return replace(
            self,
            stages=tuple(replace(stage, channels=_even(factor * stage.channels)) for stage in self.stages),
            dense=(*(_even(factor * units) for units in self.dense[:-1]), *self.dense[-1:]),
        )

    def require(self, recipe: Recipe) -> None:
        """Raise unless a recipe's slots go together in such a tower.

        Raises:
            ValueError: As for a `DenseTower`, and if a slot needs hidden layers that are rows of one length.
        """
        DenseTower.require(recipe)
        block, context, kernel_init = (
            made_by(slot) for slot in (recipe.block, recipe.decoder_context, recipe.kernel_init)
        )
        if context is not no_context:
            raise ValueError(
                f"{context.__name__} puts entries beside those of the layer before, and a convolution's inputs are "
                "images: leave it out"
            )
        runs = self.runs(0, 0)
        if not block.uniform and len(runs) > 1:
            raise ValueError(
                f"{block.__name__} needs hidden layers of one shape, and these have "
                f"{', '.join(_sides(run.shape) for run in runs)}: leave it out"
            )
        if kernel_init is looks_linear:
            raise ValueError(
                "looks-linear weights mirror one pair of halves, and an image that is flattened has a pair at every "
                "position: choose other weights, as orthogonal"
            )
        if kernel_init is identity and self.size % 2 == 0:
            raise ValueError(
                f"{kernel_init.__name__} weights stand at the middle of a kernel, and one of {self.size} by "
                f"{self.size} has none: choose an odd size, or other weights, as orthogonal"
            )

    def __call__(
        self, inputs: int, outputs: int, depth: int, width: int, recipe: Recipe, key: PRNGKeyArray, context: int = 0
    ) -> "ConvolutionalTower":
        """Draw a tower.

        Raises:
            ValueError: If the inputs make no image of that size.
        """
        if not self.dense and inputs != math.prod(self.image):
            raise ValueError(
                f"an image of {_sides(self.image)} has {math.prod(self.image)} entries, got inputs of {inputs}: name "
                "the size of the data's images"
            )
        return ConvolutionalTower(self, inputs, outputs, recipe, key)


class ConvolutionalTower(TaperedTower):
    """inputs -> (dense trunk) x runs -> an image -> (trunk of convolutions) x stages -> outputs."""

    def __init__(self, kind: Convolutional, inputs: int, outputs: int, recipe: Recipe, key: PRNGKeyArray):
        """Draw a tower.

        Args:
            kind: Its kind.
            inputs: Size of an input.
            outputs: Size of the head.
            recipe: Which unit, block, normalization and initializers.
            key: Every layer's key comes from it by the layer's name.
        """
        self.kind = kind
        runs = kind.runs(0, 0)
        dense = len(runs) - len(kind.stages)
        below = [inputs, *(run.shape[-1] for run in runs)]
        # The first stage is given the image, whatever it is made of.
        below[dense] = kind.image[-1]
        maps = [(Dense, Dense)] * dense + [(entrance, replace(entrance, stride=1)) for entrance in kind.maps()]
        self.trunks = nnx.List([
            Trunk(inputs, run.layers - 1, run.shape[-1], recipe, named_key(key, f"trunk_{index}"), 0, *linear)
            for index, (inputs, run, linear) in enumerate(zip(below[:-1], runs, maps, strict=True))
        ])  # fmt: skip
        known = math.prod(runs[-1].shape) * (1 if self.trunks[-1].uniform else runs[-1].layers)
        self.head = Dense(known, outputs, recipe, named_key(key, "head"), role="head")

    @property
    def _dense(self) -> int:
        """How many trunks stand before the image."""
        return len(self.trunks) - len(self.kind.stages)

    def _entering(self, h: Float[Array, "batch ..."], index: int) -> Float[Array, "batch ..."]:
        if index == len(self.trunks):
            return h.reshape(len(h), -1)
        return h.reshape(len(h), *self.kind.image) if index == self._dense else h

    def _within(self, run: ForwardPass, index: int) -> ForwardPass:
        run = super()._within(run, index)
        stage = self.kind.stages[index - self._dense] if index >= self._dense else None
        if not (stage.noise if stage else self.kind.dense_noise):
            run = run.instead(hidden_noise=no_noise)
        if stage and stage.rectified and made_by(run.recipe.activation) is jax.nn.leaky_relu:
            run = run.instead(activation=jax.nn.relu)
        return run


def _even(width: float) -> int:
    # Some units come in pairs.
    return max(2, 2 * round(width / 2))


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
