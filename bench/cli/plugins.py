"""The plugins that were typed, and everything that has a name with them."""

from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.console import complain

if TYPE_CHECKING:
    # It imports jax, and --help does not.
    from bench.planning.catalogue import Catalogue


def with_plugins(paths: tuple[str, ...], data: bool = False) -> "tuple[tuple[str, ...], Catalogue]":
    """The paths of plugins as another process finds them, and the catalogue; what is skipped of it is printed.

    Args:
        paths: As they were typed.
        data: Whether to try what workloads load, too.

    Raises:
        InputError: If a plugin cannot be taken in.
    """
    from bench.execution.surroundings import fix_numbers
    from bench.planning.catalogue import load_catalogue

    fix_numbers()
    plugins = tuple(str(Path(path).resolve()) for path in paths)
    catalogue = load_catalogue(plugins, data)
    for sentence in catalogue.skipped:
        complain(f"skipped: {sentence}")
    return plugins, catalogue
