"""A worker process: how it is set up, and how it tells what it has done."""

import os
import signal
import threading
import time
from multiprocessing.connection import Connection

import jax

from bench.execution.surroundings import fix_meeting, fix_numbers
from bench.planning.xla_flags import ONE_THREAD, flags
from bench.training.memory import use_one_arena


def start_worker(device: str, core_or_gpu: int | None, cache: str, progress: Connection) -> None:
    """Set a fresh process up, before jax starts its backend.

    Args:
        device: `cpu` or `gpu`.
        core_or_gpu: The core to run on, or which of the GPUs; None for whatever the system gives.
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
    configure_process(device, core_or_gpu, cache)


def configure_process(device: str, core_or_gpu: int | None, cache: str) -> None:
    """Choose device, core and compilation cache of this process; too late once jax has started its backend.

    Args:
        device: `cpu` or `gpu`.
        core_or_gpu: The core to run on, or which of the GPUs; None for whatever the system gives.
        cache: Folder of the persistent compilation cache.
    """
    if device == "cpu":
        wanted = flags(device)
        if core_or_gpu is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core_or_gpu})
            use_one_arena()
        else:
            wanted.append(ONE_THREAD)
        os.environ["XLA_FLAGS"] = " ".join(wanted)
        jax.config.update("jax_platforms", "cpu")
    elif core_or_gpu is not None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[core_or_gpu] if visible else str(core_or_gpu)
    fix_numbers()
    fix_meeting()
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
