"""Several runs as one: parts of a suite that was cut, or one suite on several workloads. No jax."""

import shutil
from collections.abc import Sequence
from dataclasses import replace

from bench.language.errors import InputError
from bench.results.stored.records import PlanRecord, WorkloadRecord
from bench.results.stored.store import FOLDERS, Store

# How far records and validations stand apart follows from the length of a training, which is a workload's own.
_OF_A_LENGTH = ("record_every", "validate_every", "patience")


def join(stores: Sequence[Store], into: Store) -> None:
    """Copy what some runs hold into one folder, with one plan of all their cells; the runs stay as they are.

    What two of them hold under one name is the first one's: the name is of all that a figure rests on.

    Args:
        stores: The runs, each with its plan.
        into: Where to.

    Raises:
        InputError: If a run holds no plan, or their protocols differ.
    """
    plan = joined([store.read_plan() for store in stores], [str(store.directory) for store in stores])
    into.require_writable()
    for folder in FOLDERS:
        (into.directory / folder).mkdir(exist_ok=True)
        for store in stores:
            there = store.directory / folder
            for path in sorted(there.iterdir()) if there.is_dir() else ():
                if not (into.directory / folder / path.name).exists():
                    shutil.copy2(path, into.directory / folder / path.name)
    into.write_plan(plan)


def joined(plans: Sequence[PlanRecord], names: Sequence[str]) -> PlanRecord:
    """One plan of several.

    Args:
        plans: At least one.
        names: What each is called in an error.
    """
    first = plans[0]
    for plan, name in zip(plans[1:], names[1:], strict=True):
        differing = _differing(first, plan)
        if differing:
            raise InputError(
                f"{names[0]!r} and {name!r} were made under different protocols: {', '.join(differing)}; join runs of "
                "one"
            )
    cells = {(cell.workload, cell.arm): cell for plan in reversed(plans) for cell in plan.cells}
    order = dict.fromkeys((cell.workload, cell.arm) for plan in plans for cell in plan.cells)
    workloads: dict[str, WorkloadRecord] = {}
    for plan in plans:
        for name, each in plan.workloads.items():
            workloads.setdefault(name, each)
    return replace(
        first,
        command="; ".join(dict.fromkeys(plan.command for plan in plans)),
        plugins=tuple(dict.fromkeys(path for plan in plans for path in plan.plugins)),
        workloads=workloads,
        protocol=replace(
            first.protocol, words=tuple(dict.fromkeys(word for plan in plans for word in plan.protocol.words))
        ),
        cells=tuple(cells[key] for key in order),
    )


def _differing(one: PlanRecord, other: PlanRecord) -> list[str]:
    pairs = {name: (getattr(one.protocol, name), getattr(other.protocol, name)) for name in ("seeds", "rates")}
    constants = (one.protocol.constants, other.protocol.constants)
    for name in sorted(constants[0].keys() | constants[1].keys()):
        if name not in _OF_A_LENGTH:
            pairs[name] = (constants[0].get(name), constants[1].get(name))
    return [f"{name} {before} and {after}" for name, (before, after) in pairs.items() if before != after]
