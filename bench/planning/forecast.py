"""How long cells may take before one of them has run."""

import math
from collections.abc import Collection

from bench.planning.protocol import Protocol
from bench.plugins.workload import Workload
from bench.results.records import PlannedCell

# First readings on two cores, for the minutes to expect.
_COMPILE_SECONDS = 6.0
# To compose a cell, evaluate its trainings, estimate, explain and store it, however few its steps.
_CELL_SECONDS = 1.5
_SECONDS_PER_STEP_AND_WEIGHT = 1e-3 / (18 * 64 * 64)
# What a layer costs that is one step of a scan, over one that is written out: as many small operations, and a loop.
_SCANNED = 5.0


def expected_seconds(cells: Collection[PlannedCell], workload: Workload, protocol: Protocol) -> float:
    """How long training some cells of a workload may take one core, by first readings of this shape of network."""
    # As if each layer were as wide as the one before it, at every position of a patch, and of an image.
    products = sum(
        run.layers * (_SCANNED if run.scanned else 1) * math.prod(run.shape) * run.patch * run.shape[-1]
        for runs in workload.architecture.stacks.values()
        for run in runs
    )
    weights = products * workload.batch / 128
    training = protocol.trainings * protocol.steps * weights * _SECONDS_PER_STEP_AND_WEIGHT
    return len(cells) * (training + _CELL_SECONDS) + len({cell.program for cell in cells}) * _COMPILE_SECONDS
