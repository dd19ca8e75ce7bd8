"""A worker process: how it is set up, and how it tells what it has done."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import jax

from bench.training.arm_trainer import ONE_THREAD

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
    # It ends this one by SIGTERM, which Pebble would answer only when the program being compiled is.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
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
