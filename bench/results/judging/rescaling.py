"""Whether an optimizer divides each coordinate's step, or each layer's, by its own size. No jax.

Under one that does, a gradient that has faded on its way to a layer moves that layer's weights as far as a large one.
"""

from collections.abc import Mapping
from typing import Any

# Every other that comes with optax, or here, divides by a root of squares or a layer's norm, or takes the sign.
_PLAIN = ("sgd", "noisy_sgd", "schedule_free_sgd", "polyak_sgd", "normalized_sgd")


def optimizer_of(recipe: Mapping[str, Any]) -> str:
    """The name of the optimizer of a recipe, which is given as it is stored."""
    found = recipe.get("optimizer")
    return str(found["function"] if isinstance(found, dict) else found).rpartition(".")[2]


def rescales(optimizer: str) -> bool:
    """Whether an optimizer of this name rescales each coordinate or each layer."""
    return optimizer not in _PLAIN
