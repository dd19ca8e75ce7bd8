"""`new-remedy`: the file of a remedy to fill in."""

import shlex
from pathlib import Path

from tyro.conf import Positional

from bench.cli.plugins import with_plugins


def new_remedy(name: Positional[str], family: str = "activation", out: str | None = None) -> int:
    """Write the file of a new remedy, with the few lines to fill in, and say what to run next.

    Args:
        name: Of the remedy, as a Python function is named.
        family: Its family, as `list remedies` shows them.
        out: The file; by default NAME.py.
    """
    from bench.plugins.new_remedy import write_remedy
    from bench.plugins.remedy import FAMILIES

    _, catalogue = with_plugins(())
    taken = {*catalogue.remedies, *catalogue.bases}
    path = write_remedy(name, family, Path(out if out is not None else f"{name}.py"), taken, FAMILIES)
    print(f"{path} is a remedy that works: fill in its source, its sentence and what it changes, then")
    for command in (["check", str(path)], ["run", "--plugin", str(path)]):
        print(f"  {shlex.join(['python', '-m', 'bench', *command])}")
    return 0
