"""All that a run knows of one arm: its record, its timing, and the command that runs it again. No jax."""

import shlex
from dataclasses import asdict, dataclass
from typing import Any

from bench.language.arms import parse_arms
from bench.language.errors import unknown
from bench.results.columns import COLUMNS
from bench.results.results import Results, Row
from bench.results.stored.store import Store


@dataclass(frozen=True)
class ArmRecord:
    """One arm of a run.

    Attributes:
        row: Its cell, and what is stored of it.
        command: The command that runs it again.
    """

    row: Row
    command: str

    def plain(self) -> dict[str, Any]:
        """The same as JSON has it: the cell's record under the plan's names; of a cell that never ran its status."""
        cell, stored, timing = self.row.cell, self.row.stored, self.row.timing
        return {
            **(asdict(stored.record) if stored else {"status": self.row.status, "reason": self.row.reason}),
            **{name: getattr(cell, name) for name in ("workload", "arm", "base", "family")},
            "timing": asdict(timing) if timing else None,
            "command": self.command,
        }


def arm_record(store: Store, arm: str) -> ArmRecord:
    """An arm as its table names it, its remedies in any order.

    Raises:
        InputError: The run has no such arm.
    """
    plan = store.read_plan()
    # The order of remedies is no difference, except between two that chain: then the names say which is meant.
    bases = next(iter(plan.workloads.values())).bases
    wanted = [sorted(str(each).split("+")) for each in parse_arms(arm, bases)]
    names = [cell.arm for cell in plan.cells]
    found = [name for name in names if wanted == [sorted(name.split("+"))]]
    if not found:
        raise unknown(f"arm of {store.directory}:", arm, names)
    (row, *_) = Results.read(store, COLUMNS, arms=[arm if arm in found else found[0]]).rows
    return ArmRecord(row, _again(row))


def _again(row: Row) -> str:
    results, plan, protocol = row.results, row.results.plan, row.results.plan.protocol
    plugins = [part for path in plan.plugins for part in ("--plugin", path)]
    # A cell that met no device was not run on one.
    met = row.stored and row.record.device
    device = ["--device", "cpu" if met.kind == "cpu" else "gpu"] if met else []
    return shlex.join(
        ["python", "-m", "bench", "run", "--suite", plan.suite, "--workload", row.cell.workload, "--arms", row.cell.arm,
         "--seeds", str(protocol.seeds), "--rates", str(protocol.rates), "--steps", str(protocol.steps), *device,
         *plugins, "--out", f"{results.directory}-again"]
    )  # fmt: skip
