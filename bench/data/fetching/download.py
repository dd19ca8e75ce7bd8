"""A file from the first of its addresses that has it: whole, verified, or not at all."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import requests

from bench.data.fetching.data_file import DamagedFileError, DataFile
from bench.language.errors import InputError, briefly

# How long an address may keep silent.
_SECONDS = 30
_CHUNK = 2**16


def download(file: DataFile, into: Path, watch: Callable[[int], None] = lambda _: None) -> Path:
    """Fetch a file into a folder; what is there under its name is replaced only by the verified file.

    Args:
        file: What to fetch.
        into: A folder with the layout of a data folder; it is made where it is missing.
        watch: Told how many of the file's bytes have come so far.

    Returns:
        Where it lies now.

    Raises:
        InputError: If no address has it, or the folder cannot be written to.
    """
    folder = (into / file.path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as beside:
            return _first(file, into, Path(beside, "part"), watch)
    except OSError as error:
        raise InputError(
            f"{file.path} cannot be written to {str(into)!r} ({error.strerror or briefly(error)}): make room there, or "
            "name another cache with VAE_JAX_CACHE"
        ) from error


def _first(file: DataFile, into: Path, part: Path, watch: Callable[[int], None]) -> Path:
    reasons = []
    for address in file.addresses:
        watched: Any = _Watched(watch)
        fetch: Any = pooch.HTTPDownloader(progressbar=watched, chunk_size=_CHUNK, timeout=_SECONDS)
        try:
            fetch(address, str(part), None)
            stored = part.read_bytes()
            file.verified(stored)
        except (requests.RequestException, DamagedFileError) as error:
            reasons.append(f"{urlsplit(address).netloc}: {_reason(error)}")
            continue
        fetched = into / file.name_for(stored)
        part.replace(fetched)
        # The other form may be what was damaged, and would be found first.
        for name in file.names:
            if into / name != fetched:
                (into / name).unlink(missing_ok=True)
        return fetched
    raise InputError(
        f"{file.path} could not be fetched ({'; '.join(reasons)}): try again when the network is back, or put the file "
        "into a folder of that layout and name the folder with --data-dir"
    )


def _reason(error: Exception) -> str:
    """What went wrong at an address, in a few words: what requests says fills a paragraph."""
    match error:
        case DamagedFileError():
            return f"what it sends {error}"
        case requests.HTTPError() if error.response is not None:
            return f"{error.response.status_code} {error.response.reason}"
        case requests.Timeout():
            return f"no answer for {_SECONDS} s"
        case requests.exceptions.ChunkedEncodingError():
            return "the connection broke off before the end"
        case requests.ConnectionError():
            return "no connection"
    return briefly(error, kind=True)


class _Watched:
    """The progress bar that pooch asks for, as a function of the bytes that have come."""

    def __init__(self, watch: Callable[[int], None]):
        self._watch = watch
        self._done = 0
        self.total = 0

    def update(self, count: int) -> None:
        # The last chunk is counted as a whole one.
        self._done += count
        self._watch(min(self._done, self.total) if self.total else self._done)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass
