"""`compare`: two folders of results side by side."""

from tyro.conf import Positional

from bench.cli.console import console
from bench.cli.terminal import two_runs_texts


def compare(first: Positional[str], second: Positional[str], arms: str | None = None) -> int:
    """Two results side by side: which differences are real, by the page's own rule, and what else differs.

    Args:
        first: A folder that a run has written, or one of results/reference.
        second: Another; differences are what it has beyond the first.
        arms: Only these, as "baseline,tanh".
    """
    from bench.results.published import Published
    from bench.results.two_runs import two_runs

    found = two_runs(Published.read(first), Published.read(second), None if arms is None else arms.split(","))
    screen = console()
    for text in two_runs_texts(found):
        screen.print(text)
    return 0
