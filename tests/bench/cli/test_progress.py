import os
import subprocess
import sys

import pytest

SHOW = """
from bench.cli.console import console
from bench.cli.progress import bar
screen = console()
with bar(screen, "trainings", 3) as advance:
    advance(1, None)
    screen.print("[1/3] gelu: ok", markup=False)
"""


@pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"}])
def test_a_pipe_gets_lines_and_nothing_that_moves_a_cursor(forced):
    answer = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, check=True, env={**os.environ, **forced}
    )  # fmt: skip
    assert b"gelu: ok" in answer.stdout
    assert answer.stdout.count(b"\n") == 1
    for moving in (b"\r", b"\x1b[?25l", b"\x1b[2K", b"\x1b[1A"):
        assert moving not in answer.stdout
