"""Encoder and decoder take turns for the first share of a training, and learn together afterwards."""

from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from vae_jax.recipe.configured import Number


def take_turns(
    transformation: optax.GradientTransformation,
    learning_rate: Float[Array, ""],
    steps: Int[Array, ""],
    *,
    encoder_updates: int,
    share: Number,
) -> optax.GradientTransformationExtraArgs:
    """An optimizer under which the decoder waits for the encoder at first.

    For the first `share` of the training `encoder_updates` updates of the encoder alone are followed by one of the
    decoder alone; after that every update is of both. Who waits keeps parameters and optimizer state. Each update takes
    one gradient, of whichever part, so the training is as long as any other.

    Simplified from the paper: a fixed number of encoder updates, where the paper's go on until the loss no longer
    falls, 100 at most; a fixed share, where the paper's phase ends once the mutual information no longer grows. What an
    optimizer measures over all parameters at once it measures here over each part, and the loss as a function of one
    part, which Sophia would need, it cannot have.

    Args:
        transformation: The optimizer.
        learning_rate: The step's; not needed.
        steps: The training's length.
        encoder_updates: At least 1.
        share: Of the training, in [0, 1].

    Source:
        He, Spokoyny, Neubig & Berg-Kirkpatrick 2019, arXiv:1901.05534, algorithm 1.
    """

    def turn(decoders: bool) -> optax.GradientTransformationExtraArgs:
        def taken(step: Any, **_: Any) -> Bool[Array, ""]:
            together = step.astype(jnp.float32) >= share * steps.astype(jnp.float32)
            return together | ((step % (encoder_updates + 1) == encoder_updates) == decoders)

        return optax.conditionally_mask(transformation, taken)

    turns: dict[Hashable, optax.GradientTransformation] = {"encoder": turn(False), "decoder": turn(True)}
    return optax.partition(turns, _parts, mask_compatible_extra_args=True)


def _parts(parameters: Any) -> Any:
    """Whose each leaf is, by the first name on its path: a posterior head belongs to the encoder."""
    return jax.tree.map_with_path(lambda path, _: "decoder" if path[0].key == "decoder" else "encoder", parameters)
