"""`python -m bench`, and the console script `vae-bench`."""

import os
import sys

from bench.cli.interruption import heed_signals


def main() -> None:
    """Run the command that was typed, and end this process with its exit code."""
    # Before all that takes long to import.
    heed_signals()
    _find_own_modules_last()
    from bench.cli.main import main as run

    run()


def _find_own_modules_last() -> None:
    """Let no file of the folder that a command is given in stand for a library's module, as a random.py would."""
    here, root = os.getcwd(), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH109, PTH120, PTH100
    if here in sys.path:
        sys.path.remove(here)
    libraries = [place for place, path in enumerate(sys.path) if path.endswith("-packages")]
    # Where the folder holds this package itself, no installed one may stand for it.
    sys.path.insert(libraries[0] if here == root and libraries else len(sys.path), here)
    # The same for every process that this one starts.
    os.environ["PYTHONSAFEPATH"] = "1"


if __name__ == "__main__":
    main()
