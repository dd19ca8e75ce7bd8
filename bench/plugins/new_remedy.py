"""The file with the few lines that a person fills in to add a remedy."""

from collections.abc import Collection
from pathlib import Path

from bench.language.errors import unknown
from bench.plugins.new_file import write_new

_TEXT = '''"""{title}: a remedy of your own.

python -m bench check {file}
python -m bench run --plugin {file}
"""

import jax

from bench import remedy
from vae_jax import Recipe, configure


@remedy(source="Authors year, arXiv:0000.00000", family="{family}")
def {name}(recipe: Recipe, *, negative_slope: float = 0.1) -> Recipe:
    """One sentence on what it does to the gradient."""
    # Any slot of vae_jax/recipe/recipe.py; a number in it is given by configure(function, name=value).
    return recipe.replace(activation=configure(jax.nn.leaky_relu, negative_slope=negative_slope))
'''


def write_remedy(name: str, family: str, path: Path, taken: Collection[str], families: Collection[str]) -> Path:
    """Write a new remedy's file, which loads, and trains as a leaky ReLU until it is filled in.

    Args:
        name: Of the remedy, as a Python function is named.
        family: Its family.
        path: The file to write.
        taken: Names that remedies and bases have already.
        families: The families there are.

    Returns:
        The file.

    Raises:
        InputError: If the name is none or taken, the family unknown, or the file is there or called as a module is.
    """
    if family not in families:
        raise unknown("family", family, families)
    title = name.replace("_", " ").capitalize()
    text = _TEXT.format(name=name, family=family, title=title, file=path)
    return write_new("remedy", name, path, text, taken)
