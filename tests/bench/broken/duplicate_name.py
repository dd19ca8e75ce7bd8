import jax

from bench import remedy


@remedy(source="Someone 2026", family="activation")
def gelu(recipe):
    """A second remedy of a name that is taken."""
    return recipe.replace(activation=jax.nn.softplus)
