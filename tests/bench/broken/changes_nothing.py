from bench import remedy


@remedy(source="Someone 2026", family="activation")
def placebo(recipe):
    """Gives what it is given."""
    return recipe
