"""All that a run knows of one arm: its record, its timing, and the command that runs it again. No jax."""

import shlex
from typing import Any

from bench.language.arms import parse_arms
from bench.language.errors import unknown
from bench.results.store import Store

# How a plan calls a cell, whatever it was called when it was run.
_CELL_NAMES = ("workload", "arm", "base", "family")


def arm_record(store: Store, arm: str) -> dict[str, Any]:
    """The manifest of an arm's cell, with `timing` and `command`; of a cell that never ran, its status alone.

    Args:
        store: A run's.
        arm: As in its table, its remedies in any order.

    Raises:
        InputError: The run has no such arm.
    """
    plan = store.read_plan()
    (workload,) = plan["workloads"]
    # The order of remedies is no difference, except between two that chain: then the names say which is meant.
    wanted = [sorted(str(each).split("+")) for each in parse_arms(arm, plan["workloads"][workload]["bases"])]
    cells = {cell["arm"]: cell for cell in plan["cells"]}
    found = [name for name in cells if wanted == [sorted(name.split("+"))]]
    if not found:
        raise unknown(f"arm of {store.directory}:", arm, list(cells))
    cell = cells[arm if arm in found else found[0]]
    absent = {"status": cell["status"] if cell["status"] != "planned" else "missing"}
    return {
        **(store.read(cell["identity"]) or absent),
        **{name: cell[name] for name in _CELL_NAMES},
        "timing": store.read_timing(cell["identity"]),
        "command": _again(plan, workload, cell["arm"], store),
    }


def _again(plan: dict[str, Any], workload: str, arm: str, store: Store) -> str:
    protocol = plan["protocol"]
    plugins = [part for path in plan["plugins"] for part in ("--plugin", path)]
    return shlex.join(
        ["python", "-m", "bench", "run", "--suite", plan["suite"], "--workload", workload, "--arms", arm,
         "--seeds", str(protocol["seeds"]), "--steps", str(protocol["steps"]), *plugins,
         "--out", f"{store.directory}-again"]
    )  # fmt: skip
