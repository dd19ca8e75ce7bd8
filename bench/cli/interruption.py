"""Ctrl-C and SIGTERM end a command at any moment: one line, and the exit code that shells know. Imports little."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

_LINE = "stopped; every finished cell is stored, and the same command goes on from there\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDOUT, _STDERR = 1, 2

# How long a run may take to end its workers; those that are left then see for themselves that it is gone.
_PATIENCE_SECONDS = 2.0


_unwinds = False
_exit_code: int | None = None
_said = threading.Lock()


def heed_signals() -> None:
    """Let Ctrl-C and SIGTERM end this process from now on, but where whoever started it ignores them, as nohup does.

    Not by an exception alone: one that is raised inside a callback of XLA's is lost, and none is raised before a
    program is compiled. So the system wakes a thread, which ends the process whatever the main thread is doing.
    """
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    threading.Thread(target=_end_when_woken, args=[waking], daemon=True).start()
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _hold)


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Let a signal leave the block as an exception, so that what it has started is ended by whoever started it."""
    global _unwinds
    _unwinds = True
    try:
        yield
    except KeyboardInterrupt:
        if _exit_code is None:
            raise
        _say()
        # All is ended, and to take the libraries down in order takes a second.
        os._exit(_exit_code)
    finally:
        _unwinds = False


def _hold(number: int, _: FrameType | None) -> None:
    """Nothing more is done in the main thread but to end what was started; a second signal changes nothing."""
    global _exit_code
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if _unwinds:
        _exit_code = 128 + number
        # Of no other kind: where Ray waits, this one alone comes through, and as one of Ray's own making.
        raise KeyboardInterrupt
    time.sleep(2 * _PATIENCE_SECONDS)


def _end_when_woken(waking: int) -> None:
    # Every signal that Python has a handler for wakes it.
    while (number := os.read(waking, 1)[0]) not in _SIGNALS:
        pass
    if _unwinds:
        time.sleep(_PATIENCE_SECONDS)
    # The cursor stands behind the bar, or behind the ^C that a terminal shows.
    _say("\n")
    os._exit(128 + number)


def _say(start: str = "") -> None:
    """Write the line, once.

    Args:
        start: What a terminal needs before it.
    """
    if not _said.acquire(blocking=False):
        return
    for terminal in [each for each in (_STDERR, _STDOUT) if os.isatty(each)][:1]:
        # A bar hides the cursor.
        _write(terminal, f"\x1b[?25h{start}")
    _write(_STDERR, _LINE)


def _write(where: int, text: str) -> None:
    # Not by way of sys.stderr, whose lock the main thread may hold; nor to a pipe that nobody reads.
    if select.select([], [where], [], 1)[1]:
        with contextlib.suppress(OSError):
            os.write(where, text.encode())
