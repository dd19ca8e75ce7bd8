"""`report`: a run's tables, plots and page, anew."""

from tyro.conf import Positional

from bench.cli.publish import publish
from bench.results.store import Store


def report(directory: Positional[str]) -> int:
    """Rebuild tables, plots and page from whatever cells are there, and say how many are missing.

    Args:
        directory: A folder that a run has written.
    """
    store = Store(directory)
    store.read_plan()
    store.require_writable()
    publish(store, rebuild=True)
    return 0
