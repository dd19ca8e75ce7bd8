import pytest
from rich.console import Console

from bench.cli.terminal import summary_table
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
    for arm, status, figure in zip(text["arm"], text["status"], text["negative_elbo"], strict=True):
        assert [line for line in lines if line.startswith(arm[:24]) and status in line and figure in line], arm
    # Nothing is left out where there is room.
    assert ("examples/s" in printed.get()) == (width == 300)
