"""The command line: the only room that prints."""

import os
import sys
from collections.abc import Callable

from bench.cli.arguments import parse
from bench.cli.commands.check import check
from bench.cli.commands.compare import compare
from bench.cli.commands.data import data
from bench.cli.commands.decode import decode
from bench.cli.commands.doctor import doctor
from bench.cli.commands.encode import encode
from bench.cli.commands.list_ import list_
from bench.cli.commands.new_remedy import new_remedy
from bench.cli.commands.new_workload import new_workload
from bench.cli.commands.protocol import protocol
from bench.cli.commands.reconstruct import reconstruct
from bench.cli.commands.report import report
from bench.cli.commands.run import run
from bench.cli.commands.sample import sample
from bench.cli.commands.show import show
from bench.cli.console import complain
from bench.language.errors import InputError

COMMANDS: dict[str, Callable[..., int]] = {
    "run": run, "list": list_, "check": check, "new-remedy": new_remedy, "new-workload": new_workload,
    "report": report, "show": show, "compare": compare, "protocol": protocol,
    "doctor": doctor, "data": data,
    "encode": encode, "decode": decode, "sample": sample, "reconstruct": reconstruct,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit code 2 for bad input, 1 where a cell failed."""
    try:
        command = parse(COMMANDS, sys.argv[1:] if arguments is None else arguments)
        sys.exit(command())
    except InputError as error:
        complain(f"error: {error}")
        sys.exit(2)
    except BrokenPipeError:
        # Whoever read the output has closed it, as `head` does; what is left to flush has no reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        # A full disk, a folder that has become read-only, one on a network that has gone.
        where = f" ({error.filename})" if error.filename else ""
        complain(
            f"error: {error.strerror or error}{where}: every finished cell is kept, so mend that and give the same "
            "command again"
        )
        sys.exit(1)
