"""The files that people read of a run, and its table on the terminal."""

from bench.cli.console import complain, console
from bench.cli.terminal import plateau_line, summary_table
from bench.results.results import Results
from bench.results.stored.store import Store
from bench.results.tables import missing
from bench.results.views import Views


def publish(store: Store, views: Views, rebuild: bool) -> None:
    """Write tables, plots and page, print the table, and say what is missing.

    Args:
        store: The run's.
        views: The columns and plots to show.
        rebuild: Whether to write, where the table could be printed of what is there.
    """
    results = Results.read(store, views.columns)
    said = [*results.unreadable, *results.table.complaints]
    if rebuild:
        from bench.report.publish import publish

        said = publish(results, views.plots)
    screen = console()
    screen.print(summary_table(results, screen))
    for sentence in said:
        complain(sentence)
    if plateau := plateau_line(results):
        screen.print(plateau, markup=False, highlight=False)
    absent = missing(results.summary)
    if absent:
        number = len(results.rows)
        print(f"{len(absent)} of {number} arms are missing: {', '.join(absent[:5])}{' ...' if absent[5:] else ''}")
    page = store.directory / "report.html"
    print(f"{page} is the page; beside it summary.csv, summary.md, plots/, and trainings, networks, curves as parquet")
