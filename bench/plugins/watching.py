"""Watches a function for what a remedy must not do: print, open files, or reach outside of the process."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

import jax

# An audit hook is for the life of the process, so there is one, and it fills whichever list is there.
_done: list[str] | None = None
_hooked = False

# Importing a module reads its source; that is not what a remedy does.
_CODE = (".py", ".pyc", ".so", ".pyd")

# What else leaves the process, by the audit events of Python's own library, with the words for it.
_EVENTS = {
    "os.mkdir": "makes the folder", "os.remove": "removes the file", "os.rename": "renames the file",
    "subprocess.Popen": "starts the program", "os.system": "starts the program",
    "socket.__new__": "opens the socket",
}  # fmt: skip


@contextlib.contextmanager
def watched(done: list[str] | None = None) -> Iterator[list[str]]:
    """What the block did that it must not, in words; complete once the block has ended.

    Args:
        done: Where to write it; by default a list of its own.
    """
    global _done
    _hook()
    done = [] if done is None else done
    said, before = io.StringIO(), _done
    _done = events = []
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield done
    finally:
        _done = before
        if said.getvalue().strip():
            done.append(f"prints {said.getvalue().strip().splitlines()[0]!r}")
        done += dict.fromkeys(events)


def _hook() -> None:
    global _hooked
    if not _hooked:
        sys.addaudithook(_heed)
        _hooked = True


def _heed(event: str, arguments: tuple[object, ...]) -> None:
    if _done is None or not (event == "open" or event in _EVENTS):
        return
    what = arguments[0]
    name = os.fspath(what) if isinstance(what, str | os.PathLike) else repr(what)
    # What is opened by its number was opened by its name before.
    if event == "open" and (isinstance(what, int) or (name.endswith(_CODE) and _reads(arguments))):
        return
    # Python and jax keep what they have compiled.
    cache = jax.config.jax_compilation_cache_dir  # type: ignore
    if "__pycache__" not in name and not (cache and name.startswith(cache)):
        _done.append(f"{_EVENTS.get(event, 'opens the file')} {name!r}")


def _reads(arguments: tuple[object, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return not set(mode) & set("wax+")
    return not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR))
