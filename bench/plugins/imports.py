"""The modules that a Python source names in its imports, wherever in it they stand."""

import ast
import functools
import importlib.util
from collections.abc import Iterator


@functools.lru_cache(maxsize=1024)
def imported(source: bytes, package: str) -> frozenset[str]:
    """The full names of all that a source imports; of `from a import b` both a and a.b, since b may be a module.

    Args:
        source: Of one file; one that does not parse imports nothing.
        package: The package that the file lies in, which relative imports start from.
    """
    try:
        return frozenset(_names(ast.parse(source), package))
    except (SyntaxError, ValueError):
        return frozenset()


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            whole = importlib.util.resolve_name(name, package) if package or not node.level else name
            yield whole
            yield from (f"{whole}.{alias.name}" for alias in node.names)
