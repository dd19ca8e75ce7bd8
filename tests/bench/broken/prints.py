import jax

from bench import remedy


@remedy(source="Someone 2026", family="activation")
def talkative(recipe):
    """Says what it does, each time."""
    print("softplus it is")
    return recipe.replace(activation=jax.nn.softplus)
