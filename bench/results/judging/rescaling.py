"""Whether a recipe divides each coordinate's step, or each layer's, by its own size. No jax.

Under one that does, a gradient that has faded on its way to a layer moves that layer's weights as far as a large one.
"""

from collections.abc import Mapping
from typing import Any

# Of those that come with optax, or here. Every other divides by a root of squares or a layer's norm, or takes the sign;
# and so, it is supposed, does one of a person's own: most do.
_PLAIN = (
    "sgd", "noisy_sgd", "schedule_free_sgd", "polyak_sgd", "optimistic_gradient_descent", "dpsgd", "lbfgs", "momo",
    "dog", "dowg",
)  # fmt: skip
# What is done to the gradient before it reaches any optimizer.
_RESCALING = ("normalize_layers",)


def optimizer_of(recipe: Mapping[str, Any]) -> str:
    """The name of the optimizer of a recipe, which is given as it is stored."""
    return _name(recipe.get("optimizer"))


def rescales(recipe: Mapping[str, Any]) -> bool:
    """Whether a recipe, which is given as it is stored, rescales each coordinate or each layer."""
    transforms = map(_name, recipe.get("gradient_transforms") or ())
    return optimizer_of(recipe) not in _PLAIN or any(name in _RESCALING for name in transforms)


def _name(function: Any) -> str:
    return str(function["function"] if isinstance(function, dict) else function).rpartition(".")[2]
