"""A dense tower of any widths: trunks of one width each, and a linear head."""

import itertools
from dataclasses import dataclass
from typing import Any

from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.layers.dense import Dense
from vae_jax.recipe.configured import made_by
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.dense import DenseTower, Trunk, units
from vae_jax.towers.hidden import Hidden, Run, Taps
from vae_jax.towers.skip_connections import no_context


@dataclass(frozen=True)
class Tapered:
    """The kind of dense tower whose hidden layers have these widths.

    Where a layer is as wide as the one before it is a block; where not, a unit, as the input layer is.

    Attributes:
        widths: Units of each hidden layer, from the input on.
    """

    widths: tuple[int, ...]

    def __post_init__(self):
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths must be one or more numbers of at least 1, got {self.widths}")

    def runs(self, depth: int, width: int) -> tuple[Run, ...]:
        """A run for each width that it keeps; depth and width of other towers are not its own."""
        return tuple(Run(len(list(same)), (units,)) for units, same in itertools.groupby(self.widths))

    @staticmethod
    def kernels(tower: Any) -> list[Any]:
        """The matrices in a tree like a tower's parameters: of its units, in order, and of the head."""
        trunks = tower["trunks"]
        own = [unit["dense"]["kernel"] for index in sorted(trunks, key=int) for unit in units(trunks[index])]
        return [*own, tower["head"]["kernel"]]

    def scaled(self, factor: float) -> "Tapered":
        """The same with all widths a factor larger, even, since some units come in pairs."""
        return Tapered(tuple(max(2, 2 * round(factor * width / 2)) for width in self.widths))

    def require(self, recipe: Recipe) -> None:
        """Raise unless a recipe's slots go together in such a tower.

        Raises:
            ValueError: As for a `DenseTower`, and if widths differ where a block or a context needs one width.
        """
        DenseTower.require(recipe)
        if len(set(self.widths)) > 1:
            block, context = made_by(recipe.block), made_by(recipe.decoder_context)
            if not block.uniform or context is not no_context:
                what = block.__name__ if not block.uniform else context.__name__
                raise ValueError(
                    f"{what} needs hidden layers of one width, and these have {'-'.join(map(str, self.widths))}: give "
                    "them one width, or leave it out"
                )

    def __call__(
        self, inputs: int, outputs: int, depth: int, width: int, recipe: Recipe, key: PRNGKeyArray, context: int = 0
    ) -> "TaperedTower":
        """Draw a tower."""
        return TaperedTower(inputs, outputs, self.runs(depth, width), recipe, key, context)


class TaperedTower(nnx.Module):
    """inputs -> (trunk of one width) x runs -> outputs."""

    def __init__(
        self, inputs: int, outputs: int, runs: tuple[Run, ...], recipe: Recipe, key: PRNGKeyArray, context: int
    ):
        """Draw a tower.

        Args:
            inputs: Size of an input.
            outputs: Size of the head.
            runs: How many layers there are of each width.
            recipe: Which unit, block, normalization and initializers.
            key: Every layer's key comes from it by the layer's name.
            context: Entries that every block and the head see beside the layer before them; of one run only.
        """
        widths = [inputs, *(run.shape[0] for run in runs)]
        self.trunks = nnx.List([
            Trunk(widths[index], run.layers - 1, run.shape[0], recipe, named_key(key, f"trunk_{index}"), context)
            for index, run in enumerate(runs)
        ])  # fmt: skip
        known = widths[-1] if self.trunks[-1].uniform else widths[-1] * runs[-1].layers
        self.head = Dense(known, outputs, recipe, named_key(key, "head"), role="head", context=context)

    def __call__(
        self, x: Float[Array, "batch inputs"], run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], list[Float[Array, "batch ..."]]]:
        """The head's output, and what every hidden layer adds to what is known."""
        h, hidden = x, []
        for index, trunk in enumerate(self.trunks):
            h, own = trunk.through(self._entering(h, index), self._within(run, index))
            hidden += own
        return self._head(h, run), hidden

    def observed(
        self, x: Float[Array, "batch inputs"], taps: Taps, run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], tuple[Hidden, ...]]:
        """The same pass, and what its hidden layers look like; see `Trunk.watched_through`."""
        h, hidden = x, []
        for index, (trunk, tap) in enumerate(zip(self.trunks, taps, strict=True)):
            h, own = trunk.watched_through(self._entering(h, index), tap, self._within(run, index))
            hidden.append(own)
        return self._head(h, run), tuple(hidden)

    def _entering(self, h: Float[Array, "batch ..."], index: int) -> Float[Array, "batch ..."]:
        """What trunk `index`, or after the last one the head, is given of what comes before it."""
        return h

    def _within(self, run: ForwardPass, index: int) -> ForwardPass:
        return run.within(f"trunk_{index}", run.context)

    def _head(self, h: Float[Array, "batch ..."], run: ForwardPass) -> Float[Array, "batch outputs"]:
        return self.head(
            self._entering(h, len(self.trunks)), run.within("head", None if run.context is None else run.context[-1])
        )
