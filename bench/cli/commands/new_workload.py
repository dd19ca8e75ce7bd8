"""`new-workload`: the file of a workload on a person's own data."""

import shlex
from pathlib import Path

from tyro.conf import Positional

from bench.cli.plugins import with_plugins


def new_workload(name: Positional[str], data: str = "digits", out: str | None = None) -> int:
    """Write the file of a new workload, and say what to run next.

    Args:
        name: Of the workload, as a Python function is named.
        data: Your own .npy, .npz or .csv file or folder of images, or the name of a set.
        out: The file; by default NAME.py.
    """
    from bench.data.chosen import typed_data
    from bench.plugins.new_workload import write_workload

    _, catalogue = with_plugins(())
    path = Path(out if out is not None else f"{name}.py")
    path = write_workload(name, typed_data(data), path, catalogue.workloads)
    print(f"{path} is a workload that trains: say in it why it stalls, change what you like, then")
    run = ["run", "--plugin", str(path), "--workload", name.replace("_", "-")]
    for command in (["check", str(path)], run):
        print(f"  {shlex.join(['python', '-m', 'bench', *command])}")
    return 0
