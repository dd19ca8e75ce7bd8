"""Where the command line prints to."""

import json
import sys
from typing import Any

from rich.console import Console


def console() -> Console:
    """Standard output; where no terminal sets it, lines are wide enough for the table."""
    return Console(width=None if sys.stdout.isatty() else 160)


def complain(sentence: str) -> None:
    """Print a sentence on standard error, whole and as it is."""
    Console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value for another program to read."""
    print(json.dumps(value, indent=1))
