"""`report`: a run's tables, plots and page, anew."""

from tyro.conf import Positional, UseAppendAction

from bench.cli.console import complain
from bench.cli.publish import publish
from bench.language.errors import InputError
from bench.results.stored.joining import join
from bench.results.stored.store import Store


def report(*directories: Positional[str], out: str | None = None, plugin: UseAppendAction[tuple[str, ...]] = ()) -> int:
    """Rebuild tables, plots and page from whatever cells are there, and say how many are missing.

    Args:
        directories: A folder that a run has written; or several, parts of a suite or a suite on several workloads,
            which are joined.
        out: Where several are joined; their own folders stay as they are.
        plugin: A Python file, or a folder of them, with columns and plots of your own; by default those of the run.
    """
    from bench.report.own_views import load_plans_views, load_views

    if not directories:
        raise InputError("no folder is named: give one that a run has written, as results/runs/quick")
    if (len(directories) > 1) != (out is not None):
        raise InputError(
            f"--out is where several folders are joined, and {len(directories)} "
            f"{'is' if len(directories) == 1 else 'are'} named: {'leave it out' if out else 'name a folder with --out'}"
        )
    store = Store(directories[0] if out is None else out)
    if out is not None:
        join([Store(directory) for directory in directories], store)
    plan = store.read_plan()
    store.require_writable()
    views, skipped = (load_views(plugin), []) if plugin else load_plans_views(plan.plugins)
    for sentence in skipped:
        complain(sentence)
    publish(store, views, rebuild=True)
    return 0
