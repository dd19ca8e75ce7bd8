"""A person's own Python file as a module."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from bench.errors import InputError


def load_source(path: Path, name: str) -> ModuleType:
    """Run a file as a module, which other processes can import from under the same name.

    Args:
        path: The file.
        name: The module's name.

    Raises:
        InputError: If the file's name does not end in .py; what the file itself raises passes through.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{str(path)!r} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
