from bench import remedy


@remedy(source="Someone 2026", family="activation")
def unclosed(recipe:
    """A bracket that is never closed."""
    return recipe
