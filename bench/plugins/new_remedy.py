"""The file with the few lines that a person fills in to add a remedy."""

import ast
import importlib.util
import keyword
import re
import sys
from collections.abc import Collection
from pathlib import Path

from bench.language.errors import InputError, unknown

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


# What the file imports, a function of that name would hide.
_USED = {alias.name for node in ast.parse(_TEXT.format(name="_", family="", title="", file="")).body
         if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}  # fmt: skip


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
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise InputError(f"name {name!r} is none for a remedy: lower-case letters, digits and _, as in my_remedy")
    if name in taken:
        raise InputError(f"name {name!r} is taken by a remedy or base that is there: give another")
    if name in _USED:
        raise InputError(f"name {name!r} is one that the file itself uses: give another")
    if family not in families:
        raise unknown("family", family, families)
    if path.suffix != ".py":
        raise InputError(f"out {str(path)!r} must end in .py: a plugin is a Python file")
    if _hides_a_module(path):
        raise InputError(
            f"{path} would hide the module {path.stem!r} from every Python that is started in its folder: give the "
            "remedy another name, or the file with --out"
        )
    try:
        with path.open("x") as file:
            file.write(_TEXT.format(name=name, family=family, title=name.replace("_", " ").capitalize(), file=path))
    except FileExistsError:
        raise InputError(f"{path} is there already, and is not overwritten: give another with --out") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; give another with --out") from error
    return path


def _hides_a_module(path: Path) -> bool:
    """Whether a module of the standard library, or an installed one, has the name that the file would have."""
    if path.stem in {*sys.stdlib_module_names, "__main__"}:
        return True
    spec = importlib.util.find_spec(path.stem) if path.stem.isidentifier() else None
    # Neither the file itself, nor a folder of that name, which a file comes before.
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() != path.resolve()
