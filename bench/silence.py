"""Watches a function for what a remedy must not do: print, or open files."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

# An audit hook is for the life of the process, so there is one, and it fills whichever list is there.
_opened: list[str] | None = None
_hooked = False

# Importing a module reads its source; that is not what a remedy does.
_CODE = (".py", ".pyc", ".so", ".pyd")


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """What the block did that it must not, in words; complete once the block has ended."""
    global _opened
    _hook()
    done: list[str] = []
    said, before = io.StringIO(), _opened
    _opened = files = []
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield done
    finally:
        _opened = before
        if said.getvalue().strip():
            done.append(f"prints {said.getvalue().strip().splitlines()[0]!r}")
        done += [f"opens the file {name!r}" for name in dict.fromkeys(files)]


def _hook() -> None:
    global _hooked
    if not _hooked:
        sys.addaudithook(_heed)
        _hooked = True


def _heed(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], str | os.PathLike):
        name = os.fspath(arguments[0])
        if not name.endswith(_CODE) and "__pycache__" not in name:
            _opened.append(name)
