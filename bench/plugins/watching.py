"""Watches a block of code by Python's audit events: what it does that it must not, and what it reads."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

Listener = Callable[[str, tuple[object, ...]], None]

# An audit hook is for the life of the process, so there is one, and it tells whoever listens.
_listeners: list[Listener] = []
_hooked = False

# Importing a module reads its source; that is not what a remedy does.
_CODE = (".py", ".pyc", ".so", ".pyd")

LEAVING = {
    "os.mkdir": "makes the folder", "os.remove": "removes the file", "os.rename": "renames the file",
    "subprocess.Popen": "starts the program", "os.system": "starts the program",
    "socket.__new__": "opens the socket",
}  # fmt: skip
"""Events of what else leaves the process, with the words for it."""


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell a function each audit event of the block, with its arguments."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_tell)
        _hooked = True
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextlib.contextmanager
def watched(done: list[str] | None = None) -> Iterator[list[str]]:
    """Collect in words each thing that the block did and must not: printing, opening files, leaving the process.

    Args:
        done: Where to write it; by default a list of its own. It is complete once the block has ended.
    """
    done = [] if done is None else done
    said, events = io.StringIO(), dict[str, None]()

    def heed(event: str, arguments: tuple[object, ...]) -> None:
        if event not in LEAVING and event != "open":
            return
        what = arguments[0]
        name = os.fspath(what) if isinstance(what, str | os.PathLike) else repr(what)
        # What is opened by its number was opened by its name before.
        if event == "open" and (isinstance(what, int) or (name.endswith(_CODE) and is_read(arguments))):
            return
        if not kept_by_python(name):
            events[f"{LEAVING.get(event, 'opens the file')} {name!r}"] = None

    try:
        with listening(heed), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield done
    finally:
        if said.getvalue().strip():
            done.append(f"prints {said.getvalue().strip().splitlines()[0]!r}")
        done += events


def is_read(arguments: tuple[object, ...]) -> bool:
    """Whether an `open` event, by its arguments, is of reading alone."""
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return not set(mode) & set("wax+")
    return not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR))


def kept_by_python(name: str) -> bool:
    """Whether a file is one in which Python or jax keeps what it has compiled."""
    jax: Any = sys.modules.get("jax")
    cache = jax.config.jax_compilation_cache_dir if jax else None
    return "__pycache__" in name or bool(cache and name.startswith(cache))


def _tell(event: str, arguments: tuple[object, ...]) -> None:
    for listener in tuple(_listeners):
        listener(event, arguments)
