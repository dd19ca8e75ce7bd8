"""A dense tower: an input layer, blocks of one width, and a linear head, with a tap after each hidden layer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.initialization.data_dependent import no_data_dependent_init
from vae_jax.initialization.initializers import looks_linear
from vae_jax.layers.blocks import BlockPosition, PlainBlock
from vae_jax.layers.dense import Dense, LinearMap
from vae_jax.recipe.configured import made_by
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.hidden import Hidden, Run, Taps, watched
from vae_jax.towers.skip_connections import no_context


class Trunk(nnx.Module):
    """inputs -> width -> (block) x depth: the hidden layers of a tower that are of one shape.

    Hidden layer 0 is the input layer, a unit; hidden layers 1 to depth are the blocks.
    """

    def __init__(
        self,
        inputs: int,
        depth: int,
        width: int,
        recipe: Recipe,
        key: PRNGKeyArray,
        context: int = 0,
        entrance: LinearMap = Dense,
        linear: LinearMap = Dense,
    ):
        """Draw a trunk.

        Args:
            inputs: Size of an input, or its channels.
            depth: Number of blocks.
            width: Units in each hidden layer, or channels.
            recipe: Which unit, block, normalization and initializers.
            key: Every layer's key comes from it by the layer's name.
            context: Entries that every block sees beside the layer before it.
            entrance: The linear map of the input layer.
            linear: That of the blocks.
        """
        self.input = recipe.unit(inputs, width, recipe, named_key(key, "input"), role="input", linear=entrance)
        self.blocks = nnx.List(_draw_blocks(depth, BlockPosition(width, 0, depth, context, linear), recipe, key))
        if depth and self.blocks[-1].leaves_sum:
            self.final_normalization = recipe.normalization(width)

    def through(
        self, x: Float[Array, "batch ... inputs"], run: ForwardPass
    ) -> tuple[Float[Array, "batch ... known"], list[Float[Array, "batch ... width"]]]:
        """All that is known at the end, and what every hidden layer adds to it.

        Args:
            x: Inputs.
            run: The pass.
        """
        h = self.input(x, run.within("input"))
        hidden = [h]
        for index, block in enumerate(self.blocks):
            h = block(h, self._within(run, index))
            # Of what a block knows, what it has added itself.
            hidden.append(h[..., -hidden[0].shape[-1] :])
        return self._ended(h, run), hidden

    def watched_through(
        self, x: Float[Array, "batch ... inputs"], taps: Float[Array, "layers batch ... width"], run: ForwardPass
    ) -> tuple[Float[Array, "batch ... known"], Hidden]:
        """The same pass, to be looked into.

        The blocks are scanned here, not written out: a pass that is taken now and then should compile quickly, where
        the one of every step should run quickly.

        Args:
            x: Inputs.
            taps: Zeros, added to the hidden layers: the loss's gradient with respect to them is dL/dh, layer by layer,
                after the activation.
            run: The pass.
        """

        def tapped(layer: Callable[[ForwardPass], Array], tap: Array, run: ForwardPass) -> tuple[Array, Hidden]:
            slopes: list[Array] = []
            h = layer(watched(run, slopes))
            new = h[..., -tap.shape[-1] :] + tap
            h = new if h.shape == tap.shape else jnp.concatenate([h[..., : -tap.shape[-1]], new], axis=-1)
            return h, Hidden(new, jnp.mean(jnp.stack(slopes), axis=0))

        def block(h: Array, inputs: tuple[Any, ForwardPass, Array]) -> tuple[Array, Hidden]:
            state, run, tap = inputs
            # What is not of one block alone does not travel through the scan.
            whole = run._replace(recipe=recipe, adjust=None)
            return tapped(lambda seen: nnx.merge(graph, state)(h, seen), tap, whole)

        recipe = run.recipe
        h, first = tapped(lambda seen: self.input(x, seen), taps[0], run.within("input"))
        if not self.blocks:
            return self._ended(h, run), jax.tree.map(lambda one: one[None], first)
        runs = [self._within(run, index)._replace(recipe=None, adjust=None) for index in range(len(self.blocks))]
        if self.uniform:
            graph = nnx.graphdef(self.blocks[0])
            states = [nnx.as_pure(nnx.state(block)) for block in self.blocks]
            stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *zip(states, runs, strict=True))
            h, others = jax.lax.scan(block, h, (*stacked, taps[1:]))
        else:
            layers = []
            for own, run_of_block, tap in zip(self.blocks, runs, taps[1:], strict=True):
                whole = run_of_block._replace(recipe=recipe)
                h, layer = tapped(lambda seen, own=own, h=h: own(h, seen), tap, whole)
                layers.append(layer)
            others = jax.tree.map(lambda *each: jnp.stack(each), *layers)
        hidden = jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), first, others)
        return self._ended(h, run), hidden

    @property
    def uniform(self) -> bool:
        """Whether all blocks know as much as one layer gives."""
        return all(block.uniform for block in self.blocks)

    def _within(self, run: ForwardPass, index: int) -> ForwardPass:
        return run.within(f"block_{index}", None if run.context is None else run.context[index])

    def _ended(self, h: Float[Array, "batch ... width"], run: ForwardPass) -> Float[Array, "batch ... width"]:
        if self.blocks and self.blocks[-1].leaves_sum:
            run = run.within("head", None if run.context is None else run.context[-1])
            h = self.blocks[-1].unit.activate(self.final_normalization(h), run)
        return h


class DenseTower(Trunk):
    """inputs -> width -> (block) x depth -> outputs: a trunk and a linear head."""

    def __init__(
        self, inputs: int, outputs: int, depth: int, width: int, recipe: Recipe, key: PRNGKeyArray, context: int = 0
    ):
        """Draw a tower.

        Args:
            inputs: Size of an input.
            outputs: Size of the head.
            depth: Number of blocks; without any, the head reads the input layer.
            width: Units in each hidden layer.
            recipe: Which unit, block, normalization and initializers.
            key: Every layer's key comes from it by the layer's name.
            context: Entries that every block and the head see beside the layer before them.
        """
        super().__init__(inputs, depth, width, recipe, key, context)
        # Blocks that keep all that they were given end wider than they began.
        known = width if self.uniform else width * (depth + 1)
        self.head = Dense(known, outputs, recipe, named_key(key, "head"), role="head", context=context)

    @staticmethod
    def require(recipe: Recipe) -> None:
        """Raise unless a recipe's unit, block and weights go together.

        Raises:
            ValueError: If the block takes the unit apart, which not every unit bears; if what is drawn is then given
                another length, which not every form keeps; or if mirrored weights would meet more than mirrored halves.
        """
        block, unit = made_by(recipe.block), made_by(recipe.unit)
        if block.needs_elementwise and not unit.elementwise:
            raise ValueError(
                f"a {block.__name__} activates a sum or its own input, entry by entry, which a {unit.__name__} cannot: "
                "choose a block that leaves its unit whole, as ReZero's"
            )
        form = made_by(recipe.weight_form)
        if not getattr(form, "rescalable", True) and (
            block.rescales or recipe.data_dependent_init is not no_data_dependent_init
        ):
            what = f"a {block.__name__}" if block.rescales else made_by(recipe.data_dependent_init).__name__
            raise ValueError(
                f"{what} gives matrices another length, which {form.__name__} undoes: "
                "choose a form that learns the length, as WeightNorm"
            )
        context = made_by(recipe.decoder_context)
        if made_by(recipe.kernel_init) is looks_linear and not (block.uniform and context is no_context):
            more = block if context is no_context else context
            raise ValueError(
                f"looks-linear weights mirror one pair of halves, and {more.__name__} gives a layer more than one: "
                "leave it out, or choose other weights, as orthogonal"
            )

    @staticmethod
    def runs(depth: int, width: int) -> tuple[Run, ...]:
        """Its hidden layers, the input layer and the blocks, are of one shape."""
        return (Run(depth + 1, (width,)),)

    @staticmethod
    def scaled(_factor: float) -> "type[DenseTower]":
        """Itself: its width is given when it is drawn."""
        return DenseTower

    @staticmethod
    def kernels(tower: Any) -> list[Any]:
        """The matrices in a tree like a tower's parameters: of its units, in order, and of the head."""
        return [*(unit["dense"]["kernel"] for unit in units(tower)), tower["head"]["kernel"]]

    def __call__(
        self, x: Float[Array, "batch inputs"], run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], list[Float[Array, "batch width"]]]:
        """The head's output, and what every hidden layer adds to what is known."""
        h, hidden = self.through(x, run)
        return self._head(h, run), hidden

    def observed(
        self, x: Float[Array, "batch inputs"], taps: Taps, run: ForwardPass
    ) -> tuple[Float[Array, "batch outputs"], tuple[Hidden]]:
        """The same pass, and what its hidden layers look like; see `Trunk.watched_through`."""
        (own_taps,) = taps
        h, hidden = self.watched_through(x, own_taps, run)
        return self._head(h, run), (hidden,)

    def _head(self, h: Float[Array, "batch known"], run: ForwardPass) -> Float[Array, "batch outputs"]:
        return self.head(h, run.within("head", None if run.context is None else run.context[-1]))


def units(tower: Any) -> list[Any]:
    """The units in a tree like a dense tower's parameters, in order: the input layer's, and those of its blocks."""
    return [tower["input"], *(block["unit"] for block in tower.get("blocks", {}).values())]


def _draw_blocks(depth: int, first: BlockPosition, recipe: Recipe, key: PRNGKeyArray) -> list[PlainBlock]:
    def draw(key: PRNGKeyArray, index: int | Array) -> PlainBlock:
        return recipe.block(replace(first, index=index), recipe, key)

    keys = [named_key(key, f"block_{index}") for index in range(depth)]
    if not keys:
        return []
    example = nnx.eval_shape(lambda: draw(keys[0], 0))
    if not example.uniform:
        return [draw(block_key, index) for index, block_key in enumerate(keys)]
    # One drawing program mapped over the blocks' keys: written out, it takes longer to compile than to train.
    # Mapped, not vectorised: QR under vmap can deadlock XLA's CPU backend.
    graph = nnx.graphdef(example)
    each = (jnp.stack(keys), jnp.arange(depth))
    states = jax.lax.map(lambda place: nnx.as_pure(nnx.state(draw(*place))), each)
    return [nnx.merge(graph, jax.tree.map(lambda leaf, i=index: leaf[i], states)) for index in range(depth)]
