"""`show`: one arm of a run."""

from tyro.conf import Positional

from bench.cli.console import console, print_json
from bench.cli.terminal import arm_texts
from bench.results.arm_record import arm_record
from bench.results.stored.store import Store


def show(directory: Positional[str], arm: Positional[str], json: bool = False) -> int:
    """One arm of a run: its recipe against the baseline, every figure, and the command that runs it again.

    Args:
        directory: A folder that a run has written.
        arm: As in its table.
        json: Print the record itself.
    """
    record = arm_record(Store(directory), arm)
    if json:
        print_json(record.plain())
        return 0
    screen = console()
    for text in arm_texts(record.row):
        screen.print(text)
    screen.print(f"again: {record.command}", markup=False, highlight=False, soft_wrap=True)
    return 0
