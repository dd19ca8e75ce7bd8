"""Everything that is published of a run: tables, plots and the page. No jax."""

from collections.abc import Sequence

from bench.report.drawing import draw, write_plots
from bench.report.page import write_page
from bench.results.plot import Plot
from bench.results.results import Results
from bench.results.tables import write_tables


def publish(results: Results, plots: Sequence[Plot]) -> list[str]:
    """Write summary.csv, summary.md, curves.parquet, plots/ and report.html.

    Returns:
        In a sentence each, what is missing from them: files that cannot be read, columns and plots that raised.
    """
    drawn, complaints = draw(results, plots)
    said = [*results.unreadable, *results.table.complaints, *complaints]
    write_tables(results)
    write_plots(results, drawn)
    write_page(results, drawn, said)
    return said
