import jax

from bench import remedy


@remedy(source="Someone 2026", family="activation")
def repeated(recipe):
    """The first of two."""
    return recipe.replace(activation=jax.nn.softplus)


@remedy(source="Someone 2026", family="activation")
def repeated(recipe):  # noqa: F811
    """The second of two."""
    return recipe.replace(activation=jax.nn.relu)
