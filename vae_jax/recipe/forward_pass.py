"""The value that every layer of one pass is given beside its input."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe


class ForwardPass(NamedTuple):
    """One pass through a model.

    Attributes:
        recipe: The recipe, with the numbers of this training: they are arguments of the compiled program.
        key: Of all that is drawn in the pass, as dropout; None in evaluation, where nothing is.
        context: What a hidden layer sees beside the layer before it, "batch context"; of a tower, one for
            each block and one for the head.
        adjust: Called by every layer that `takes_data` with itself and its input, before it is used:
            initialization from data.
    """

    recipe: Recipe
    key: PRNGKeyArray | None = None
    context: Any = None
    adjust: Callable[[Any, Array], None] | None = None

    def within(self, name: str, context: Any = None) -> "ForwardPass":
        """The pass as a part of the model sees it: with a key by the part's name, and its context."""
        return self._replace(key=None if self.key is None else named_key(self.key, name), context=context)

    def instead(self, **slots: Any) -> "ForwardPass":
        """The pass with other values in some slots of its recipe."""
        recipe = copy.copy(self.recipe)
        for name, value in slots.items():
            # Past __init__: inside a program, a recipe's leaves are not the numbers that it is declared for.
            object.__setattr__(recipe, name, value)
        return self._replace(recipe=recipe)

    def activate(self, z: Float[Array, "batch ... units"], *learnt: Array) -> Float[Array, "batch ... units"]:
        """phi(z), and what the recipe makes random of it in training.

        Args:
            z: What is activated.
            *learnt: The activation's own parameters, where it has any.
        """
        return self.noisy(self.recipe.hidden_noise, self.recipe.activation(z, *learnt), "activation")

    def noisy(
        self, noise: Callable[[Array, PRNGKeyArray], Array], h: Float[Array, "batch ... units"], name: str
    ) -> Float[Array, "batch ... units"]:
        """Noise on a signal, in training.

        Args:
            noise: `(h, key) -> h`.
            h: The signal.
            name: The noise's own, for its key.
        """
        return h if self.key is None else noise(h, named_key(self.key, name))
