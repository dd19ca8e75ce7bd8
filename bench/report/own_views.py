"""The columns and plots of a person's plugins, for readers: no remedy is run, and without such files no jax."""

import ast
from collections.abc import Iterable
from pathlib import Path

from bench.language.errors import InputError
from bench.plugins.source_file import load_plugin
from bench.report.plots import PLOTS
from bench.results.columns import COLUMNS
from bench.results.views import Views, views_of

BUILT_IN = Views(COLUMNS, PLOTS)
"""The columns and plots that come with this package."""


def load_views(paths: Iterable[str]) -> Views:
    """The built-in columns and plots, and those of plugins; a plugin that imports neither decorator is not run.

    Raises:
        InputError: If a plugin is not there, or raises.
    """
    modules = [module for path in paths if _has_views(Path(path)) for module in load_plugin(path)]
    return BUILT_IN.with_more(views_of(modules))


def load_plans_views(paths: Iterable[str]) -> tuple[Views, list[str]]:
    """The same of the plugins that a run was made with, as far as they are still there and load.

    Returns:
        The views, and a sentence for each plugin that was skipped.
    """
    views, skipped = BUILT_IN, list[str]()
    for path in paths:
        try:
            if not Path(path).exists():
                raise InputError(f"plugin {path} of this run is gone: give the file with --plugin")
            views = views.with_more(views_of(load_plugin(path) if _has_views(Path(path)) else ()))
        except InputError as error:
            skipped.append(f"{error}; its columns and plots are left out")
    return views, skipped


def _has_views(path: Path) -> bool:
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    return not path.exists() or any(map(_names_a_view, files))


def _names_a_view(file: Path) -> bool:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        # Loading it says what is wrong.
        return True
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return not {"column", "plot"}.isdisjoint(imported | used)
