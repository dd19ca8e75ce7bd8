"""The files that people read of a run, and its table on the terminal."""

from bench.cli.console import console
from bench.cli.terminal import plateau_line, summary_table
from bench.results.store import Store


def publish(store: Store, rebuild: bool) -> None:
    """Write tables, plots and page, print the table, and say what is missing.

    Args:
        store: The run's.
        rebuild: Whether to write, where the table could be printed of what is there.
    """
    from bench.results.tables import missing, summary, write_tables

    if rebuild:
        from bench.report.page import write_report
        from bench.report.plots import write_plots

        write_tables(store)
        write_plots(store)
        write_report(store)
    table = summary(store)
    screen = console()
    screen.print(summary_table(table, screen))
    if plateau := plateau_line(table):
        screen.print(plateau, highlight=False)
    absent = missing(table)
    if absent:
        print(f"{len(absent)} of {len(table)} arms are missing: {', '.join(absent[:5])}{' ...' if absent[5:] else ''}")
    print(f"{store.directory / 'report.html'} is the page; summary.csv, summary.md, curves.parquet, plots/ beside it")
