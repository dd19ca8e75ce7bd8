"""`report`: a run's tables, plots and page, anew."""

from tyro.conf import Positional, UseAppendAction

from bench.cli.console import complain
from bench.cli.publish import publish
from bench.results.store import Store


def report(directory: Positional[str], plugin: UseAppendAction[tuple[str, ...]] = ()) -> int:
    """Rebuild tables, plots and page from whatever cells are there, and say how many are missing.

    Args:
        directory: A folder that a run has written.
        plugin: A Python file, or a folder of them, with columns and plots of your own; by default those of the run.
    """
    from bench.report.own_views import load_plans_views, load_views

    store = Store(directory)
    plan = store.read_plan()
    store.require_writable()
    views, skipped = (load_views(plugin), []) if plugin else load_plans_views(plan.plugins)
    for sentence in skipped:
        complain(sentence)
    publish(store, views, rebuild=True)
    return 0
