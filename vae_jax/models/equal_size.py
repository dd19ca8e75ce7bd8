"""Forms of unequal size made comparable: the width at which they have as many weights as the plain stack."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from vae_jax.models.contract import Architecture
from vae_jax.recipe.keys import random_key
from vae_jax.recipe.recipe import Recipe

TOLERANCE = 0.05
"""By what share the count of weights may differ at the workload's own width."""

# What makes other matrices of the same width.
_FORMS = ("unit", "block", "decoder_context")


def comparable(architecture: Architecture, recipe: Recipe) -> Architecture:
    """The architecture with the width at which a recipe has as many weights in matrices as its plain form.

    Where a form has twice the matrices (a gated unit, highway, maxout) or ever wider ones (dense connections), it would
    otherwise be compared at twice the size. Within `TOLERANCE` the width stays.

    Args:
        architecture: The workload's.
        recipe: The arm's, resolved.
    """
    plain = Recipe()
    if all(getattr(recipe, name) == getattr(plain, name) for name in _FORMS):
        return architecture
    wanted = _weights(architecture, recipe.replace(**{name: getattr(plain, name) for name in _FORMS}))
    if abs(_weights(architecture, recipe) / wanted - 1) <= TOLERANCE:
        return architecture
    # A count of weights is a polynomial of second degree in the width; widths are even, since some units come in pairs.
    widths = np.array([2, 4, 8])
    counts = [_weights(architecture.of_width(int(width)), recipe) for width in widths]
    square, linear, constant = np.polyfit(widths, counts, 2)
    width = (-linear + np.sqrt(linear**2 - 4 * square * (constant - wanted))) / (2 * square)
    return architecture.of_width(max(2, 2 * round(width / 2)))


def _weights(architecture: Architecture, recipe: Recipe) -> int:
    mean = jnp.zeros(architecture.mean_shape)
    model = nnx.eval_shape(lambda: architecture.draw(recipe, random_key(0), mean))
    parameters = nnx.as_pure(nnx.split(model, nnx.Param, ...)[1])
    return sum(leaf.size for leaf in jax.tree.leaves(parameters) if leaf.ndim >= 2)
