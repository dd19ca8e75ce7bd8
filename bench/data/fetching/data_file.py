"""One published file: its addresses, and the checksum by which it is known."""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from bench.language.errors import InputError

_GZIP = b"\x1f\x8b"

_CURE = "replace it, or delete it and run python -m bench data fetch"


@dataclass(frozen=True)
class DataFile:
    """A published file.

    Attributes:
        path: Where it lies below a data folder, as it is called without the ending of its compression.
        size: Bytes to download.
        sha256: Of its content, decompressed: how well somebody has compressed it does not matter.
        addresses: Where it can be had, in the order in which they are tried.
    """

    path: str
    size: int
    sha256: str
    addresses: tuple[str, ...]

    @property
    def names(self) -> tuple[str, str]:
        """The paths it may have below a folder, compressed or not."""
        return f"{self.path}.gz", self.path

    def name_for(self, stored: bytes) -> str:
        """The path that it has below a folder in this form."""
        return self.names[0 if stored.startswith(_GZIP) else 1]

    def content(self, path: Path) -> bytes:
        """What a file at this place holds, decompressed, if it is this file.

        Raises:
            InputError: If it cannot be read, is truncated, or has another checksum.
        """
        try:
            return self.verified(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): {_CURE}") from error
        except DamagedFileError as error:
            raise InputError(f"{path} {error}: {_CURE}") from error

    def verified(self, stored: bytes) -> bytes:
        """The content of bytes that should be this file, decompressed where they are compressed.

        Raises:
            DamagedFileError: If they are not.
        """
        try:
            content = gzip.decompress(stored) if stored.startswith(_GZIP) else stored
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise DamagedFileError(f"is truncated or damaged ({len(stored):,} bytes do not decompress)") from None
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DamagedFileError(
                f"is not the published file (the SHA-256 of its {len(content):,} bytes of content is {found[:12]}..., "
                f"not {self.sha256[:12]}...)"
            )
        return content


class DamagedFileError(Exception):
    """Bytes are not the file that they should be: what is wrong, to be put after its name."""
