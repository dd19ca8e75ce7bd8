"""The bars that show how far a run is, or a download."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextlib.contextmanager
def bar(console: Console, what: str, total: int) -> Iterator[Callable[[int, str | None], None]]:
    """A progress bar on a terminal; nothing elsewhere, where lines are what a person reads.

    Args:
        console: Where it is shown.
        what: What is counted.
        total: How many there are.
    """
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not _may_move(console) or total == 0) as progress:
        task = progress.add_task(what, total=total)

        def advance(count: int, description: str | None) -> None:
            progress.update(task, advance=count, description=description or what)

        yield advance


@contextlib.contextmanager
def bytes_bar(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for a download on a terminal; nothing elsewhere.

    Args:
        console: Where it is shown.
        what: What is downloaded.
        total: Its bytes.

    Yields:
        A function to be told how many bytes there are so far.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not _may_move(console)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def _may_move(console: Console) -> bool:
    # FORCE_COLOR makes a terminal of anything, and colours may follow it. What moves the cursor may not.
    return console.is_terminal and console.file.isatty()
