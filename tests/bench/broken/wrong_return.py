import jax

from bench import remedy


@remedy(source="Someone 2026", family="activation")
def forgetful(recipe):
    """Forgets to return what it makes."""
    recipe.replace(activation=jax.nn.softplus)
