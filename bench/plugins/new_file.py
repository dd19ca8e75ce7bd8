"""A new plugin's file, with the few lines that a person fills in: written once, and over nothing."""

import ast
import importlib.util
import keyword
import re
import sys
from collections.abc import Collection
from pathlib import Path

from bench.language.errors import InputError


def write_new(kind: str, name: str, path: Path, text: str, taken: Collection[str]) -> Path:
    """Write a new plugin's file.

    Args:
        kind: What is in it, as `remedy`.
        name: Of the function in it.
        path: The file to write.
        text: Its content.
        taken: Names that others have already.

    Returns:
        The file.

    Raises:
        InputError: If the name is none or taken, or the file is there or called as a module is.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise InputError(f"name {name!r} is none for a {kind}: lower-case letters, digits and _, as in my_{kind}")
    if name in taken:
        raise InputError(f"name {name!r} is taken by a {kind} or base that is there: give another")
    # What the file imports, a function of that name would hide.
    used = {
        alias.name for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }  # fmt: skip
    if name in used:
        raise InputError(f"name {name!r} is one that the file itself uses: give another")
    if path.suffix != ".py":
        raise InputError(f"out {str(path)!r} must end in .py: a plugin is a Python file")
    if _hides_a_module(path):
        raise InputError(
            f"{path} would hide the module {path.stem!r} from every Python that is started in its folder: give the "
            f"{kind} another name, or the file with --out"
        )
    try:
        with path.open("x") as file:
            file.write(text)
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
