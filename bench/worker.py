"""A worker process: how it is set up, what it says of its machine, and how it times a program."""

import math
import os
import platform
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bench.lanes import ONE_THREAD, Bench
from bench.plan import Job
from bench.statistics import student_t

# Level 1 compiles an eighth faster and runs as fast. Without the concurrency-optimized scheduler, two QR calls of one
# program (orthogonal initial weights) cannot wait for each other for ever on a machine with few cores.
# Vectors of 512 bits, where the processor has them, take 5 % off a step.
_CPU_FLAGS = " ".join(
    [
        "--xla_backend_optimization_level=1",
        "--xla_cpu_enable_concurrency_optimized_scheduler=false",
        "--xla_cpu_prefer_vector_width=512",
    ]
)

# As many steps as three rounds of 200, in more rounds: an interval needs them.
TIMING_ROUNDS = 6
TIMING_STEPS = 100


@dataclass(frozen=True)
class Failure:
    """Why a cell has no figures, and whether another try may end otherwise."""

    status: str
    reason: str
    traceback: str = ""
    again: bool = False


def start_worker(device: str, place: int | None, cache: str, progress: Connection) -> None:
    """Set a fresh process up, before jax starts its backend.

    Args:
        device: `cpu` or `gpu`.
        place: The core to run on, or which of the GPUs; None for whatever the system gives.
        cache: Folder of the persistent compilation cache.
        progress: Where each finished training is told.
    """
    global _progress
    _progress = progress
    # Ctrl-C reaches every process of the terminal; the one that schedules decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    configure_process(device, place, cache)


def configure_process(device: str, place: int | None, cache: str) -> None:
    """Choose device, core and compilation cache of this process; too late once jax has started its backend.

    Args:
        device: `cpu` or `gpu`.
        place: The core to run on, or which of the GPUs; None for whatever the system gives.
        cache: Folder of the persistent compilation cache.
    """
    if device == "cpu":
        flags = _CPU_FLAGS
        if place is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {place})
        else:
            flags += f" {ONE_THREAD}"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
        jax.config.update("jax_platforms", "cpu")
    elif place is not None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[place] if visible else str(place)
    # On a GPU, float32 products may run in a shorter format: what is measured is float32.
    jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def time_cell(job: Job, learning_rate: float, baseline: Job) -> dict[str, Any]:
    """Time a cell's program beside the baseline's, in interleaved rounds; the machine must be doing nothing else."""
    benches = {"cell": (Bench(job), learning_rate), "baseline": (Bench(baseline), None)}
    runners = {}
    for name, (bench, rate) in benches.items():
        with bench.computing():
            runners[name] = bench.runner(rate)
        runners[name](1)
    steps = job.protocol.validate_every
    chunks = max(1, TIMING_STEPS // steps)
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(TIMING_ROUNDS):
        for name, runner in runners.items():
            begun = time.perf_counter()
            runner(chunks)
            seconds[name].append((time.perf_counter() - begun) / (chunks * steps))
    bench = benches["cell"][0]
    with bench.computing():
        flops_per_step = bench.flops_per_step
    slowdown = student_t(np.log(np.divide(seconds["cell"], seconds["baseline"])).tolist())
    return {
        "seconds_per_step": seconds["cell"],
        "baseline_seconds_per_step": seconds["baseline"],
        "examples_per_second": bench.workload.batch * bench.lanes / float(np.median(seconds["cell"])),
        "slowdown": math.exp(slowdown.mean),
        "slowdown_low": math.exp(slowdown.low),
        "slowdown_high": math.exp(slowdown.high),
        "flops_per_step": flops_per_step,
        "batch": bench.workload.batch,
        "device": describe_device(),
    }


def describe_device() -> dict[str, Any]:
    """The machine, as a manifest keeps it."""
    name = jax.devices()[0].device_kind
    if name == "cpu":
        name = _processor()
    return {"kind": jax.default_backend(), "name": name, "cores": os.cpu_count()}


_progress: Connection | None = None


def tell_training() -> None:
    """Tell whoever follows the run that one more training has ended."""
    if _progress is not None:
        _progress.send(1)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
