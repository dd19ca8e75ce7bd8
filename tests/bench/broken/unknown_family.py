import jax

from bench import remedy


@remedy(source="Someone 2026", family="activations")
def misfiled(recipe):
    """In a family that there is not."""
    return recipe.replace(activation=jax.nn.softplus)
