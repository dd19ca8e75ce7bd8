import functools

from bench import remedy


@functools.cache
def rate():
    with open("/etc/passwd") as file:
        return len(file.read()) * 1e-5


@remedy(source="Someone 2026", family="optimizer")
def remembered(recipe):
    """Takes its learning rate from a file, and reads it once."""
    return recipe.replace(learning_rate=rate())
