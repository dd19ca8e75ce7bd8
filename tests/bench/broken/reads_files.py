from pathlib import Path

from bench import remedy


@remedy(source="Someone 2026", family="optimizer")
def fetched(recipe):
    """Takes its learning rate from a file."""
    rate = len(Path("/etc/passwd").read_text()) * 1e-3
    return recipe.replace(learning_rate=rate)
