"""The two places where a file may lie on this machine: a folder that a person names, and the cache."""

import os
from pathlib import Path

from bench.data.cache import cache
from bench.data.fetching.data_file import DataFile
from bench.language.errors import InputError

FOLDER = "VAE_JAX_DATA"


def named_folder(folder: Path | str | None = None) -> Path | None:
    """The folder that has data already, if there is one; nothing is ever written there.

    Args:
        folder: As a person gave it; without one, what the environment variable VAE_JAX_DATA names.

    Raises:
        InputError: If it is no folder.
    """
    given, named = ("--data-dir", folder) if folder is not None else (FOLDER, os.environ.get(FOLDER))
    if not named:
        return None
    if not Path(named).is_dir():
        raise InputError(f"{given} names {str(named)!r}, which is no folder: give one that holds data sets, or none")
    return Path(named)


def use_folder(folder: str | None) -> None:
    """From now on let this process, and those that it starts, look in a folder that was given, if one was.

    Raises:
        InputError: If it is no folder.
    """
    if folder is not None:
        os.environ[FOLDER] = str((named_folder(folder) or Path()).resolve())


def cache_folder() -> Path:
    """The folder for what is downloaded."""
    return cache() / "data"


def find(file: DataFile, folder: Path | None) -> Path | None:
    """Where a file lies, the named folder first; None where it is in neither place.

    Args:
        file: The file.
        folder: From `named_folder`.
    """
    places = [place for place in (folder, cache_folder()) if place is not None]
    return next((place / name for place in places for name in file.names if (place / name).is_file()), None)
