import io

import pytest
from rich.console import Console

import bench.cli.terminal
from bench.cli.terminal import described_texts, summary_table
from bench.planning.catalogue import load_catalogue
from bench.planning.listing import list_entries
from bench.results.tables import readable
from tests.bench.fake_store import build, read


@pytest.mark.parametrize("width", [80, 100, 160, 300])
def test_however_narrow_a_terminal_is_arms_status_and_figures_stay_whole(tmp_path, width):
    results = read(build(tmp_path))
    console = Console(width=width)
    with console.capture() as printed:
        console.print(summary_table(results, console))
    lines = [line.rstrip() for line in printed.get().splitlines()]
    assert max(map(len, lines)) <= width
    text = readable(results)
    for arm, status, figure in zip(text["arm"], text["status"], text["gain"], strict=True):
        assert [line for line in lines if line.startswith(arm[:24]) and status in line and figure in line], arm
    # Nothing is left out where there is room.
    assert ("examples/s" in printed.get()) == (width == 300)


def test_a_table_is_laid_out_once_however_many_columns_go(tmp_path, monkeypatch):
    results, made = read(build(tmp_path)), []
    laid_out = bench.cli.terminal._summary_table
    monkeypatch.setattr(
        bench.cli.terminal, "_summary_table", lambda text, columns: made.append(len(text)) or laid_out(text, columns)
    )
    summary_table(results, Console(width=80))
    # What is measured is a row of the longest texts.
    assert len(made) > 4
    assert made == [1] * (len(made) - 1) + [len(results.rows)]


@pytest.mark.parametrize("width", [80, 120])
def test_workloads_are_listed_in_paragraphs_and_values_as_one_types_them(width):
    entries = list_entries(load_catalogue(), "workloads")
    screen = Console(width=width, record=True, file=io.StringIO())
    for text in described_texts(entries):
        screen.print(text, highlight=False)
    said = screen.export_text()
    # No column squeezes a sentence into words: a line is as full as a paragraph's is.
    lines = [line for line in said.splitlines() if line.strip()]
    assert sum(map(len, lines)) > width * len(lines) / 2
    assert "sigmoid=false, corruption=0.0" in " ".join(said.split())
    assert "False" not in said
    for entry in entries:
        assert f"  parameters: {next(iter(entry['parameters']))}=" in said
