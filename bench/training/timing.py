"""How fast a cell's program runs, beside the baseline's."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bench.planning.job import Job
from bench.results.judging.statistics import student_t
from bench.results.stored.records import TimingRecord
from bench.training.arm_trainer import ArmTrainer
from bench.training.machine import describe_device

# As many steps as three rounds of 200, in more rounds: an interval needs them.
TIMING_ROUNDS = 6
TIMING_STEPS = 100


class _Prepared(NamedTuple):
    """A cell and the baseline, compiled and in the middle of a training."""

    trainer: ArmTrainer
    runners: dict[str, Callable[[int], None]]
    flops_per_step: float


# By the cell's identity.
_prepared: dict[str, _Prepared] = {}


def prepare_timing(job: Job, learning_rate: float, baseline: Job) -> None:
    """Compile what `time_cell` times, and keep it for that: the machine may be doing something else."""
    _prepared.clear()
    _prepared[job.cell.identity] = _prepare(job, learning_rate, baseline)


def _prepare(job: Job, learning_rate: float, baseline: Job) -> _Prepared:
    trainers = {"cell": (ArmTrainer(job), learning_rate), "baseline": (ArmTrainer(baseline), None)}
    runners = {}
    for name, (trainer, rate) in trainers.items():
        with trainer.computing():
            runners[name] = trainer.runner(rate)
        runners[name](1)
    trainer = trainers["cell"][0]
    with trainer.computing():
        return _Prepared(trainer, runners, trainer.flops_per_step)


def time_cell(job: Job, learning_rate: float, baseline: Job) -> TimingRecord:
    """Time a cell's program beside the baseline's, in interleaved rounds; the machine must be doing nothing else."""
    trainer, runners, flops_per_step = _prepared.pop(job.cell.identity, None) or _prepare(job, learning_rate, baseline)
    steps = job.protocol.validate_every
    chunks = max(1, TIMING_STEPS // steps)
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(TIMING_ROUNDS):
        for name, runner in runners.items():
            begun = time.perf_counter()
            runner(chunks)
            seconds[name].append((time.perf_counter() - begun) / (chunks * steps))
    slowdown = student_t(np.log(np.divide(seconds["cell"], seconds["baseline"])).tolist())
    return TimingRecord(
        seconds_per_step=tuple(seconds["cell"]),
        baseline_seconds_per_step=tuple(seconds["baseline"]),
        examples_per_second=trainer.workload.batch * trainer.lanes / float(np.median(seconds["cell"])),
        slowdown=math.exp(slowdown.mean),
        slowdown_low=math.exp(slowdown.low),
        slowdown_high=math.exp(slowdown.high),
        flops_per_step=flops_per_step,
        batch=trainer.workload.batch,
        device=describe_device(),
    )
