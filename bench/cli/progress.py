"""The bar that shows how far a run is."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


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
    # FORCE_COLOR makes a terminal of anything, and colours may follow it. What moves the cursor may not.
    shown = console.is_terminal and console.file.isatty() and total > 0
    with Progress(*columns, console=console, disable=not shown) as progress:
        task = progress.add_task(what, total=total)

        def advance(count: int, description: str | None) -> None:
            progress.update(task, advance=count, description=description or what)

        yield advance
